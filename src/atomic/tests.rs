use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::temporary::start_of;
use super::*;

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn temporary(target: &Path, number: u64) -> PathBuf {
    target.with_file_name(format!("{}{number:016x}.tmp", start_of(target)))
}

#[test]
fn what_a_dead_program_left_goes_and_what_a_live_one_holds_stays() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("a.bin");
    let alive = AtomicFile::create(&target).unwrap();
    let apart = AtomicFile::create_apart(&target).unwrap();
    fs::write(temporary(&target, 1), [0; 1000]).unwrap();
    fs::create_dir(temporary(&target, 2)).unwrap();
    fs::write(temporary(&target, 2).join("new"), "x").unwrap();
    // Of another output, of another program, or of a user.
    for other in
        [".b.bin.hypso-0000000000000001.tmp", ".a.bin.hypso-1.tmp", ".a.bin.tmp", "a.bin.hypso-0000000000000001.tmp"]
    {
        fs::write(folder.path().join(other), "").unwrap();
    }
    fs::create_dir_all(temporary(&target, 3).join("photographs")).unwrap();
    let mut another = AtomicFile::create(&target).unwrap();
    assert!(alive.temporary().exists() && apart.temporary().exists());
    assert!(!temporary(&target, 1).exists() && !temporary(&target, 2).exists());
    assert!(temporary(&target, 3).join("photographs").exists());
    another.file().write_all(b"whole").unwrap();
    another.commit().unwrap();
    alive.commit().unwrap();
    apart.commit().unwrap();
    assert_eq!(names(folder.path()).len(), 6, "{:?}", names(folder.path()));
}

#[test]
#[cfg(unix)]
fn a_temporary_link_is_neither_followed_nor_removed() {
    let folder = tempfile::tempdir().unwrap();
    let (target, precious) = (folder.path().join("a.bin"), folder.path().join("precious"));
    fs::write(&precious, "photographs").unwrap();
    std::os::unix::fs::symlink(&precious, temporary(&target, 7)).unwrap();
    AtomicFile::create(&target).unwrap().commit().unwrap();
    assert_eq!(fs::read(&precious).unwrap(), b"photographs");
    assert!(temporary(&target, 7).is_symlink());
}

#[test]
#[cfg(unix)]
fn a_link_stays_and_what_it_leads_to_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("disk")).unwrap();
    fs::write(at("disk/real"), "old").unwrap();
    std::os::unix::fs::symlink(at("disk/real"), at("link")).unwrap();
    let mut file = AtomicFile::create(at("link")).unwrap();
    assert!(file.temporary().starts_with(at("disk").canonicalize().unwrap()));
    file.file().write_all(b"new").unwrap();
    file.commit().unwrap();
    assert!(at("link").is_symlink());
    assert_eq!(fs::read(at("disk/real")).unwrap(), b"new");
    fs::remove_file(at("disk/real")).unwrap();
    let error = AtomicFile::create(at("link")).unwrap_err().to_string();
    assert!(error.contains("link: output: is a link that leads to nothing"), "{error}");
    assert!(matches!(refuse_existing(&at("link"), false), Err(crate::Error::Exists { .. })));
    assert!(AtomicFile::create("/dev/null").unwrap_err().to_string().contains("a pipe or a device"));
    assert_eq!(names(&at("disk")), [""; 0]);
}

#[test]
fn a_new_file_replaces_nothing_and_names_may_be_long() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("ü".repeat(127));
    let first = AtomicFile::create(&target).unwrap();
    let second = AtomicFile::create_apart(&target).unwrap();
    first.commit_new().unwrap();
    assert!(matches!(second.commit_new(), Err(crate::Error::Exists { .. })));
    assert_eq!(names(folder.path()).len(), 1);
    assert!(is_temporary(temporary(&target, 5).file_name().unwrap()));
    assert!(!is_temporary(std::ffi::OsStr::new(".a.hypso-5.tmp")));
}

#[test]
fn a_folder_exchanges_names_and_what_is_not_ours_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("tiles");
    let owns = |path: &Path, is_folder: bool| !is_folder && path.extension().is_some_and(|e| e == "tile");
    let make = |text: &str| {
        let new = AtomicFolder::create(&target, &owns).unwrap();
        fs::write(new.path().join("a.tile"), text).unwrap();
        new
    };
    make("1").commit(|_| panic!("nothing is there"), &owns).unwrap();
    let refused = make("2").commit(|path| Err(crate::Error::Exists { path: path.into() }), &owns);
    assert!(refused.is_err() && fs::read(target.join("a.tile")).unwrap() == b"1");
    make("3").commit(|_| Ok(()), &owns).unwrap();
    assert_eq!(names(folder.path()), ["tiles"]);
    // Something appears after it was looked at.
    let intruder = |path: &Path| fs::write(path.join("photograph.jpg"), "x").map_err(crate::Error::io("write", path));
    let error = format!("{:#}", make("4").commit(intruder, &owns).unwrap_err());
    assert!(error.contains("is whole") && error.contains("photograph.jpg"), "{error}");
    assert_eq!(fs::read(target.join("a.tile")).unwrap(), b"4");
    let kept = names(folder.path()).into_iter().find(|n| n.starts_with("tiles.kept-")).unwrap();
    assert_eq!(names(&folder.path().join(&kept)), ["photograph.jpg"]);
    // A dead one goes with the next; a dead one with something else in it does not.
    for (number, name) in [(1, "b.tile"), (2, "photograph.jpg")] {
        fs::create_dir(temporary(&target, number)).unwrap();
        fs::write(temporary(&target, number).join(name), "x").unwrap();
    }
    let live = make("5");
    drop(AtomicFolder::create(&target, &owns).unwrap());
    assert!(live.path().exists() && !temporary(&target, 1).exists() && temporary(&target, 2).exists());
    drop(live);
    assert_eq!(names(folder.path()).len(), 3);
}
