//! A thousand damaged files: the audit finds each and names its class, a repair leaves nothing wrong, and
//! what was whole is served all the while.

use crate::chance::{Chance, rounds};
use crate::store::{Cover, Store, fifo, link_to, object, picture_of, replace, socket, webp};
use crate::support::folder::Folder;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use vinylvault::cache::verify::{Class, Finding};

const ROUNDS: u64 = 4;
const DAMAGES: usize = 250;

/// Something that must survive whatever points to it.
struct Outside {
    folder: Folder,
}

impl Outside {
    fn new() -> Outside {
        let folder = Folder::new();
        fs::create_dir(folder.join("photos")).unwrap();
        fs::write(folder.join("photos/secret"), webp("secret", 300)).unwrap();
        Outside { folder }
    }

    fn file(&self) -> PathBuf {
        self.folder.join("photos/secret")
    }
}

/// What is to be found: class and object.
type Expected = BTreeMap<PathBuf, Class>;

#[test]
fn each_of_a_thousand_damages_is_found_and_named_and_repaired() {
    let outside = Outside::new();
    let before = picture_of(outside.folder.path());
    let store = Store::with(160);
    let pristine = store.covers.clone();
    rounds(0..ROUNDS, |_, chance| {
        let mut whole: Vec<Cover> = pristine.keys().copied().collect();
        let mut expected = Expected::new();
        while expected.len() < DAMAGES {
            let victim = whole.swap_remove(chance.below(whole.len()));
            harm(&store, victim, &mut whole, chance, &outside, &mut expected);
        }
        let (findings, summary) = store.audit();
        assert_same(&findings, &expected);
        assert_eq!(summary.renditions, pristine.len() as u64);
        let served: BTreeSet<Cover> = store.served().into_iter().collect();
        assert_eq!(served, whole.iter().copied().collect(), "served while damaged");
        let repaired = store.repair();
        assert_same(&repaired, &expected);
        let served: BTreeSet<Cover> = store.served().into_iter().collect();
        assert_eq!(served, whole.iter().copied().collect(), "served after the repair");
        assert_eq!(picture_of(outside.folder.path()), before, "nothing outside is touched");
        restore(&store);
    });
}

#[track_caller]
fn assert_same(findings: &[Finding], expected: &Expected) {
    let found: Expected = findings.iter().map(|one| (one.object.clone(), one.class)).collect();
    assert_eq!(found.len(), findings.len(), "something is told twice");
    let missed: Vec<_> =
        expected.iter().filter(|(object, class)| found.get(*object) != Some(class)).collect();
    let invented: Vec<_> = found.iter().filter(|(object, _)| !expected.contains_key(*object)).collect();
    assert!(missed.is_empty() && invented.is_empty(), "missed {missed:?}, invented {invented:?}");
}

/// Does one harm; swaps take a second victim.
fn harm(
    store: &Store,
    victim: Cover,
    whole: &mut Vec<Cover>,
    chance: &mut Chance,
    outside: &Outside,
    expected: &mut Expected,
) {
    let (path, content) = (store.path(victim), &store.covers[&victim]);
    let class = match chance.below(14) {
        0 => {
            fs::write(&path, &content[..1 + chance.below(content.len() - 1)]).unwrap();
            Class::Truncated
        }
        1 => {
            fs::write(&path, b"").unwrap();
            Class::Empty
        }
        2 | 3 => {
            let mut altered = content.clone();
            let at = if chance.below(3) == 0 { chance.below(12) } else { chance.below(content.len()) };
            altered[at] ^= 1 << chance.below(8);
            fs::write(&path, altered).unwrap();
            Class::Altered
        }
        4 => {
            fs::write(&path, chance.bytes(content.len())).unwrap();
            Class::Altered
        }
        5 => {
            let mut longer = content.clone();
            longer.extend(chance.some_bytes(5000));
            fs::write(&path, longer).unwrap();
            Class::WrongSize
        }
        6 => {
            fs::remove_file(&path).unwrap();
            Class::Missing
        }
        9 => {
            // A link to the very bytes that belong there is still not what was written.
            let moved = path.with_extension("moved");
            fs::rename(&path, &moved).unwrap();
            link_to(&moved)(&path);
            expected.insert(below(store, &moved), Class::Stray);
            Class::NotAFile
        }
        7 | 8 | 10 | 11 => {
            put_in_the_way(&path, chance, outside);
            Class::NotAFile
        }
        12 => return swap(store, victim, whole, chance, expected),
        _ => misplace(store, victim, expected),
    };
    expected.insert(object(victim), class);
}

/// Something that is no file in the place of a cover.
fn put_in_the_way(path: &Path, chance: &mut Chance, outside: &Outside) {
    match chance.below(5) {
        0 => replace(path, |path| fs::create_dir_all(path.join("deep/folder")).unwrap()),
        1 => replace(path, link_to(&outside.file())),
        2 => replace(path, link_to(&outside.folder.join("photos"))),
        3 => replace(path, fifo),
        _ => replace(path, socket),
    }
}

/// Two covers change places.
fn swap(store: &Store, one: Cover, whole: &mut Vec<Cover>, chance: &mut Chance, expected: &mut Expected) {
    let other = whole.swap_remove(chance.below(whole.len()));
    for (victim, source) in [(one, other), (other, one)] {
        let (own, strange) = (&store.covers[&victim], &store.covers[&source]);
        fs::write(store.path(victim), strange).unwrap();
        let class = match strange.len().cmp(&own.len()) {
            std::cmp::Ordering::Less => Class::Truncated,
            std::cmp::Ordering::Equal => Class::Altered,
            std::cmp::Ordering::Greater => Class::WrongSize,
        };
        expected.insert(object(victim), class);
    }
}

/// The right file in a wrong folder: one missing, one stray.
fn misplace(store: &Store, victim: Cover, expected: &mut Expected) -> Class {
    let path = store.path(victim);
    let wrong = path.parent().unwrap().with_file_name("zz").join(path.file_name().unwrap());
    let shard = victim.0.as_bytes()[0].wrapping_add(1);
    let near = path.parent().unwrap().with_file_name(format!("{shard:02x}"));
    fs::create_dir_all(&near).unwrap();
    let near = near.join(wrong.file_name().unwrap());
    fs::rename(&path, &near).unwrap();
    expected.insert(below(store, &near), Class::Stray);
    Class::Missing
}

fn below(store: &Store, path: &Path) -> PathBuf {
    path.strip_prefix(store.root()).unwrap().to_owned()
}

/// All covers as they were.
fn restore(store: &Store) {
    fs::remove_dir_all(store.root().join("covers")).unwrap();
    for (cover, content) in &store.covers {
        let path = store.path(*cover);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    fs::remove_file(store.root().join("index.db")).unwrap();
    assert_eq!(store.served().len(), store.covers.len());
}

#[test]
fn what_has_no_business_in_the_folder_is_found_and_removed() {
    let store = Store::with(8);
    let outside = Outside::new();
    let before = picture_of(outside.folder.path());
    let root = store.root();
    let put = |name: &str| {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, webp("stray", 100)).unwrap();
    };
    let key = "2b371ce0000000000000000000000000000000aa";
    let upper = format!("covers/detail/2b/{}.webp", key.to_uppercase());
    let strays = [
        format!("covers/detail/2b/{key}.webp"),
        upper,
        format!("covers/detail/2b/{key}.jpg"),
        format!("covers/thumbnails/{key}.webp"),
        "covers/notes.txt".to_owned(),
        "covers/detail/notes\n\u{1b}[2J.txt".to_owned(),
        "covers/placeholders/other.webp".to_owned(),
        "tmp/17.part".to_owned(),
    ];
    let mut expected = Expected::new();
    for stray in &strays {
        put(stray);
        expected.insert(PathBuf::from(stray), Class::Stray);
    }
    for folder in
        ["covers/huge", "covers/detail/zz", "covers/detail/2b2", "covers/placeholders/2b", "tmp/deep"]
    {
        put(&format!("{folder}/something/in it"));
        expected.insert(PathBuf::from(folder), Class::Stray);
    }
    replace(&root.join("covers/detail/ff"), fifo);
    expected.insert("covers/detail/ff".into(), Class::NotAFile);
    replace(&root.join("covers/thumbnails/fe"), link_to(&outside.folder.join("photos")));
    expected.insert("covers/thumbnails/fe".into(), Class::NotAFile);
    fs::write(root.join("covers/placeholders/placeholder_detail.webp"), b"").unwrap();
    expected.insert("covers/placeholders/placeholder_detail.webp".into(), Class::Empty);
    fs::write(root.join("covers/placeholders/placeholder_thumbnails.webp"), b"no WebP").unwrap();
    expected.insert("covers/placeholders/placeholder_thumbnails.webp".into(), Class::Altered);
    let shards: Vec<_> = store.covers.keys().map(|cover| cover.0.as_bytes()[0]).collect();
    assert!(!shards.contains(&0xff) && !shards.contains(&0xfe), "these shards are free in this test");

    assert_same(&store.audit().0, &expected);
    assert_same(&store.repair(), &expected);
    assert_eq!(store.served().len(), store.covers.len());
    assert_eq!(picture_of(outside.folder.path()), before);
}

#[test]
fn folders_that_became_links_are_unlinked_and_nothing_behind_them_is_touched() {
    for name in ["tmp", "covers", "covers/detail", "covers/placeholders"] {
        let (store, outside) = (Store::with(4), Outside::new());
        let before = picture_of(outside.folder.path());
        replace(&store.root().join(name), link_to(&outside.folder.join("photos")));
        let (findings, _) = store.audit();
        assert!(
            findings.iter().any(|one| one.class == Class::NotAFile && one.object == Path::new(name)),
            "{name}: {findings:?}"
        );
        // A start alone is as careful as a repair.
        assert!(store.served().len() <= store.covers.len());
        replace(&store.root().join(name), link_to(&outside.folder.join("photos")));
        store.repair();
        fs::remove_file(store.root().join("index.db")).unwrap();
        store.served();
        assert_eq!(picture_of(outside.folder.path()), before, "{name}");
    }
}

#[test]
fn names_of_ours_that_became_fifos_and_links_hold_nobody_up() {
    let (store, outside) = (Store::with(2), Outside::new());
    let before = picture_of(outside.folder.path());
    for name in
        ["CACHEDIR.TAG", "tmp", "covers", "covers/thumbnails", "index.db", "index.db-wal", "index.db-shm"]
    {
        replace(&store.root().join(name), fifo);
        store.served();
        replace(&store.root().join(name), link_to(&outside.file()));
        store.served();
    }
    assert_eq!(picture_of(outside.folder.path()), before);
    // The lock is nobody's to replace: somebody may hold what was there.
    replace(&store.root().join("lock"), link_to(&outside.file()));
    assert!(vinylvault::cache::disk::Disk::open(&store.root()).is_err());
    replace(&store.root().join("lock"), fifo);
    assert!(vinylvault::cache::disk::Disk::open(&store.root()).is_err());
    assert_eq!(picture_of(outside.folder.path()), before);
}
