//! The real program in a folder, what it said, and what lies there afterwards.
#![allow(dead_code, reason = "each test file uses a part")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use hypso::archive;
use hypso::tile::TileId;

pub const HYPSO: &str = env!("CARGO_BIN_EXE_hypso");

/// Runs hypso in `folder`; gives exit code and all it said.
pub fn hypso(folder: &Path, arguments: &[&str]) -> (i32, String) {
    let done = Command::new(HYPSO).args(arguments).current_dir(folder).stdin(Stdio::null()).output().unwrap();
    let said = [done.stdout, done.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    assert!(!said.contains("panicked"), "{arguments:?}: {said}");
    (done.status.code().unwrap(), said)
}

/// Runs what must work; gives what it said.
#[track_caller]
pub fn ok(folder: &Path, arguments: &[&str]) -> String {
    let (code, said) = hypso(folder, arguments);
    assert_eq!(code, 0, "{arguments:?}: {said}");
    said
}

/// Runs commands, each of which must fail with an exit code and a word.
#[track_caller]
pub fn all_fail(folder: &Path, commands: &[(&[&str], i32, &str)]) {
    for (arguments, code, word) in commands {
        let (found, said) = hypso(folder, arguments);
        assert!(found == *code && said.contains(word), "{arguments:?}: {found}: {said}");
    }
}

/// All tiles of an archive.
pub fn tiles(path: &Path) -> BTreeMap<TileId, Vec<u8>> {
    let archive = archive::open(path).unwrap();
    let ids: Vec<TileId> = archive.ids().unwrap().map(Result::unwrap).collect();
    ids.into_iter().map(|id| (id, archive.tile(id.coord().unwrap()).unwrap().unwrap())).collect()
}

/// What lies in a folder.
pub fn names(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}
