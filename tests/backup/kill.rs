//! kill -9 at any moment: of a backup the file is the old or the whole new one, of a restore the data
//! folder is the old or the new one, whole, and a server starts on it.

use crate::stage::{
    albums, assert_whole, backup, command, covers, filled, names, origin, preload, printed, rows, run,
};
use crate::support::folder::Folder;
use crate::support::process::finish;
use crate::support::vault::Vault;
use crate::support::{not_checked, until};
use rusqlite::types::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use vinylvault::key::Digest;

/// Kills at seeded moments.
const ROUNDS: u32 = 20;
/// The calls by which something gets, changes or loses its name, or comes to last.
const CALLS: [&str; 12] = [
    "rename",
    "renameat",
    "renameat2",
    "unlink",
    "unlinkat",
    "rmdir",
    "mkdir",
    "mkdirat",
    "ftruncate",
    "fsync",
    "fdatasync",
    "syncfs",
];
/// More of any kind than this restore makes.
const CALLS_MAX: u32 = 200;

/// What a data folder holds, as far as it matters.
#[derive(Clone, PartialEq, Debug)]
struct Held {
    albums: Vec<Vec<Value>>,
    covers: BTreeMap<PathBuf, Digest>,
}

impl Held {
    fn of(data_dir: &Path) -> Held {
        assert_whole(data_dir);
        let albums = rows(&data_dir.join("vinylvault.db")).remove("album").unwrap();
        Held { albums, covers: covers(data_dir) }
    }
}

/// A vault at rest, a backup of another state of it, and what each holds.
struct Stage {
    vault: Vault,
    folder: Folder,
    file: PathBuf,
    old: Held,
    new: Held,
}

impl Stage {
    /// The backup has so many albums, and the vault at rest two more; they share some of their covers.
    fn new(count: u32, kind: &[&str]) -> Stage {
        let origin = origin();
        let mut vault = filled(&origin, count);
        let folder = Folder::new();
        let file = folder.join("vinyl.tar");
        let mut args = vec!["backup", file.to_str().unwrap()];
        args.extend(kind);
        printed(&vault.run(&args));
        vault.terminate();
        let mut new = Held::of(&vault.data_dir());
        vault.restart();
        vault.import(&albums(&origin, count + 1..=count + 2));
        vault.post_json("/api/cache/clear", "{}");
        preload(&vault, &origin, count..=count + 2);
        vault.terminate();
        let old = Held::of(&vault.data_dir());
        if kind == ["--collection-only"] {
            new.covers = old.covers.clone();
        }
        assert_ne!((&old.albums, &old.covers), (&new.albums, &new.covers));
        // What a test starts from again and again.
        copy(&vault.data_dir(), &folder.join("old"));
        Stage { vault, folder, file, old, new }
    }

    fn restore(&self) -> Command {
        command(&self.vault.data_dir(), &["restore", self.file.to_str().unwrap()])
    }

    /// Back to the beginning, with nothing beside the data folder.
    fn reset(&self) {
        let data_dir = self.vault.data_dir();
        for name in names(data_dir.parent().unwrap()).iter().filter(|name| name.starts_with("data")) {
            fs::remove_dir_all(data_dir.with_file_name(name)).unwrap();
        }
        copy(&self.folder.join("old"), &data_dir);
    }

    /// What a start makes of the folder; `true`: it is the new one.
    fn start(&mut self, what: &str) -> bool {
        self.vault.restart();
        assert_eq!(self.vault.get("/ready").status, 200, "{what}");
        self.vault.terminate();
        let held = Held::of(&self.vault.data_dir());
        assert!(held == self.old || held == self.new, "{what}: neither the old folder nor the new one");
        held == self.new
    }

    /// The same where the collection and the cache are replaced one after the other.
    fn start_on_parts(&mut self, terrain: Terrain, what: &str) -> bool {
        self.vault.restart();
        assert_eq!(self.vault.get("/ready").status, 200, "{what}");
        self.vault.terminate();
        let Held { albums, covers } = Held::of(&self.vault.data_dir());
        let (is_new, has_new_cache) = (albums == self.new.albums, covers == self.new.covers);
        assert!(is_new || albums == self.old.albums, "{what}: another collection");
        let has_no_cache = terrain == Terrain::Steps && covers.is_empty();
        assert!(has_new_cache || has_no_cache || covers == self.old.covers, "{what}: another cache");
        assert!(has_new_cache || !is_new, "{what}: the collection is last");
        is_new
    }
}

fn copy(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(status.success());
}

/// A moment in the life of a process that takes `whole`, or a little after its end.
fn moment(round: u32, whole: Duration) -> Duration {
    let seed = u64::from(round + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    whole.mul_f64(1.1 * (seed as f64) / f64::from(1 << 24))
}

/// Runs a command and kills it after so long.
fn kill_after(mut command: Command, after: Duration) {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let kill_at = Instant::now() + after;
    until("the moment comes", || Instant::now() >= kill_at || child.try_wait().unwrap().is_some());
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_killed_restore_leaves_the_old_folder_or_the_new_one() {
    let mut stage = Stage::new(8, &[]);
    let begun = Instant::now();
    printed(&finish(stage.restore()));
    let whole = begun.elapsed();
    let mut news = 0;
    for round in 0..ROUNDS {
        stage.reset();
        kill_after(stage.restore(), moment(round, whole));
        news += u32::from(stage.start(&format!("round {round}")));
        // The next restore takes away what the killed one left.
        printed(&finish(stage.restore()));
        let beside = names(stage.vault.data_dir().parent().unwrap());
        assert!(!beside.iter().any(|name| name.contains(".restore-")), "{beside:?}");
        assert_eq!(Held::of(&stage.vault.data_dir()), stage.new);
    }
    assert!(news < ROUNDS, "no kill came in time");
}

/// How a traced restore went.
enum Traced {
    Killed,
    /// It made fewer such calls.
    Finished,
    Impossible,
}

/// What a restore meets.
#[derive(Clone, Copy, PartialEq)]
enum Terrain {
    /// The folder is exchanged as a whole.
    Plain,
    /// A file of somebody else's keeps the folder in its place.
    Foreign,
    /// The file system cannot exchange two names.
    Steps,
}

/// Runs a restore that is killed when it is about to make such a call for the `count`th time.
fn kill_at(call: &str, count: u32, terrain: Terrain, restore: &Command) -> Traced {
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={call},renameat2"), "-e"]);
    strace.arg(format!("inject={call}:signal=SIGKILL:when={count}"));
    if terrain == Terrain::Steps {
        strace.args(["-e", "inject=renameat2:error=EINVAL"]);
    }
    let Ok(output) = strace.arg(restore.get_program()).args(restore.get_args()).output() else {
        return Traced::Impossible;
    };
    let said = String::from_utf8_lossy(&output.stderr);
    match output.status.code() {
        Some(0) => Traced::Finished,
        // Not every machine has every call; not every machine lets us trace.
        Some(1) if said.contains("invalid system call") => Traced::Finished,
        Some(1) if said.contains("ptrace") => Traced::Impossible,
        Some(code) => panic!("{call} {count}: exit code {code}: {said}"),
        None => Traced::Killed,
    }
}

/// Kills a restore at each single call that changes something on disk, one after the other.
fn kill_at_each_call(mut stage: Stage, terrain: Terrain) {
    let (mut kills, mut news) = (0, 0);
    let mut all = CALLS.into_iter().filter(|call| terrain != Terrain::Steps || *call != "renameat2");
    let (mut call, mut count) = (all.next().unwrap(), 0);
    loop {
        count += 1;
        assert!(count < CALLS_MAX, "{call}");
        stage.reset();
        let foreign = stage.vault.data_dir().join("my notes.txt");
        if terrain == Terrain::Foreign {
            fs::write(&foreign, "mine").unwrap();
        }
        match kill_at(call, count, terrain, &stage.restore()) {
            Traced::Killed => kills += 1,
            Traced::Finished => {
                let Some(next) = all.next() else { break };
                (call, count) = (next, 0);
                continue;
            }
            Traced::Impossible => return not_checked("there is no strace, or it may not trace"),
        }
        let what = format!("{call} {count}");
        news += u32::from(match terrain {
            Terrain::Plain => stage.start(&what),
            Terrain::Foreign | Terrain::Steps => stage.start_on_parts(terrain, &what),
        });
        assert!(terrain != Terrain::Foreign || fs::read(&foreign).unwrap() == b"mine");
        printed(&finish(stage.restore()));
        assert!(Held::of(&stage.vault.data_dir()) == stage.new, "{what}: the next restore");
    }
    assert!(kills > 20, "{kills} kills");
    assert!((1..kills).contains(&news), "{news} of {kills} kills came after the exchange");
}

#[test]
fn a_restore_killed_at_any_call_leaves_the_old_folder_or_the_new_one() {
    kill_at_each_call(Stage::new(3, &[]), Terrain::Plain);
}

#[test]
fn a_restore_of_the_collection_killed_at_any_call_leaves_the_old_one_or_the_new_one() {
    kill_at_each_call(Stage::new(1, &["--collection-only"]), Terrain::Plain);
}

#[test]
fn a_restore_beside_files_of_others_killed_at_any_call_leaves_whole_parts() {
    kill_at_each_call(Stage::new(2, &[]), Terrain::Foreign);
}

#[test]
fn a_restore_without_exchange_killed_at_any_call_leaves_a_whole_collection() {
    kill_at_each_call(Stage::new(2, &[]), Terrain::Steps);
}

#[test]
fn a_killed_backup_leaves_the_older_file_and_the_next_one_cleans_up() {
    let origin = origin();
    let mut vault = filled(&origin, 10);
    vault.terminate();
    let folder = Folder::new();
    let begun = Instant::now();
    let file = backup(&vault.data_dir(), &folder);
    let whole = begun.elapsed();
    for round in 0..ROUNDS {
        let before = fs::read(&file).unwrap();
        let args = ["backup", file.to_str().unwrap()];
        kill_after(command(&vault.data_dir(), &args), moment(round, whole));
        let after = fs::read(&file).unwrap();
        if after != before {
            printed(&run(&folder.join("nowhere"), &["restore", file.to_str().unwrap(), "--dry-run"]));
        }
        printed(&run(&vault.data_dir(), &args));
        assert_eq!(names(folder.path()), ["vinyl.tar"], "round {round}");
    }
    assert_whole(&vault.data_dir());
}
