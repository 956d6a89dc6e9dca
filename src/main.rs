//! The program: hands its arguments to the library and ends with the code that comes back.

use std::process::ExitCode;

fn main() -> ExitCode {
    vinylvault::heap::return_large_pieces();
    vinylvault::cli::run(std::env::args_os())
}
