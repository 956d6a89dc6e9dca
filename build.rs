//! Tells the program what it was built for: the label `target` of `vinylvault_build_info`.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let target = std::env::var("TARGET").expect("cargo sets TARGET for build scripts");
    println!("cargo:rustc-env=VINYLVAULT_TARGET={target}");
}
