//! `hypso publish`: versions that appear whole, are used by one link, and go when no rule keeps them.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::program::{World, fails, hypso, names, ok, printed, scratch, stderr};

/// A run's outputs in a folder of their own: archive, lineage, report, inputs, store.
fn outputs(to: &Path) {
    let world = World::get();
    for name in ["s.pmtiles", "s-lineage.pmtiles", "s.report.json", "s.pmtiles.inputs", "s.hypso"] {
        std::fs::copy(world.path(name), to.join(name)).unwrap();
    }
}

fn list(folder: &str) -> Value {
    serde_json::from_str(&printed(&["publish", "--list", "--format", "json", "-o", folder])).unwrap()
}

fn current(folder: &str) -> String {
    list(folder)["current"].as_str().unwrap().to_owned()
}

/// Gives a version that is not in use another time.
fn set_back(folder: &str, name: &str, to: &str) {
    let versions = Path::new(folder).join("versions");
    std::fs::rename(versions.join(name), versions.join(to)).unwrap();
    let path = versions.join(to).join("version.json");
    let text = std::fs::read_to_string(&path)
        .unwrap()
        .replace(&format!("\"name\": \"{name}\""), &format!("\"name\": \"{to}\""));
    std::fs::write(path, text).unwrap();
}

#[test]
fn a_version_is_published_followed_taken_back_and_pruned() {
    let (folder, at) = scratch();
    outputs(folder.path());
    let to = at("published");
    let said = printed(&["publish", &at("s.pmtiles"), "--note", "first", "-o", &to]);
    assert!(said.contains("is in use: 5 files") && said.contains("--rollback"), "{said}");
    let first = current(&to);
    let whole = ["s-lineage.pmtiles", "s.hypso", "s.pmtiles", "s.pmtiles.inputs", "s.report.json", "version.json"];
    assert_eq!(names(&Path::new(&to).join("current")), whole);
    for name in &whole[..5] {
        assert_eq!(std::fs::read(at(name)).unwrap(), std::fs::read(format!("{to}/current/{name}")).unwrap());
    }

    // Only the archive changes: all else is stored once, and a patch leads from one to the other.
    ok(&["extract", &at("s.pmtiles"), "-o", &at("part.pmtiles"), "--max-zoom", "10"]);
    std::fs::rename(at("part.pmtiles"), at("s.pmtiles")).unwrap();
    ok(&["publish", &at("s.pmtiles"), "--patches", "-o", &to]);
    let second = current(&to);
    assert!(second > first);
    let entry = list(&to)["versions"][1].clone();
    assert_eq!((entry["follows"].as_str(), &entry["in_use"]), (Some(first.as_str()), &Value::Bool(true)));
    let inode = |version: &str, name: &str| std::fs::metadata(format!("{to}/versions/{version}/{name}")).unwrap().ino();
    for file in entry["files"].as_array().unwrap() {
        let name = file["name"].as_str().unwrap();
        let shared = !name.starts_with("s.pmtiles") || name.ends_with(".inputs");
        assert_eq!(file["shared"], shared, "{name}");
        assert!(!shared || inode(&first, name) == inode(&second, name), "{name}");
    }
    let patch = format!("{to}/current/s.pmtiles.from-{first}.patch.pmtiles");
    ok(&["patch", &format!("{to}/versions/{first}/s.pmtiles"), &patch, "-o", &at("again.pmtiles")]);
    ok(&["diff", &at("again.pmtiles"), &at("s.pmtiles")]);

    ok(&["publish", "--rollback", "-o", &to]);
    assert_eq!(current(&to), first);
    fails(1, &["holds no version before", &first], &["publish", "--rollback", "-o", &to]);
    fails(
        1,
        &["holds no version \"1999-01-01T000000Z\"", "--list"],
        &["publish", "--rollback", "1999-01-01T000000Z", "-o", &to],
    );
    ok(&["publish", "--rollback", &second, "-o", &to]);
    assert_eq!(current(&to), second);

    // Old ones go, but not the one in use, and none with something else in it.
    ok(&["publish", &at("s.pmtiles"), "--keep-last", "9", "-o", &to]);
    let third = current(&to);
    set_back(&to, &first, "2020-01-01T000000Z");
    set_back(&to, &second, "2020-01-01T000001Z");
    std::fs::write(format!("{to}/versions/2020-01-01T000000Z/mine.txt"), "mine").unwrap();
    ok(&["publish", "--rollback", "2020-01-01T000001Z", "-o", &to]);
    let keep = ["--keep-last", "1", "--keep-daily", "0", "--keep-weekly", "0", "--keep-monthly", "0"];
    let said = printed(&[&["publish", "--prune", "-o", &to], &keep[..]].concat());
    assert!(said.contains("2020-01-01T000000Z not removed: holds mine.txt"), "{said}");
    assert_eq!(list(&to)["versions"].as_array().unwrap().len(), 3);
    std::fs::remove_file(format!("{to}/versions/2020-01-01T000000Z/mine.txt")).unwrap();
    let said = printed(&[&["publish", "--prune", "-o", &to], &keep[..]].concat());
    assert_eq!(said.trim(), "2020-01-01T000000Z removed");
    assert_eq!(names(&Path::new(&to).join("versions")), ["2020-01-01T000001Z", &third]);
    assert_eq!(current(&to), "2020-01-01T000001Z");

    // A file that a disk altered shows, and is not handed on to the next version.
    ok(&["publish", "--rollback", &third, "-o", &to]);
    let store = format!("{to}/current/s.hypso");
    let mut bytes = std::fs::read(&store).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&store, bytes).unwrap();
    fails(3, &[], &["publish", "--check", "-o", &to]);
    ok(&["publish", &at("s.pmtiles"), "-o", &to]);
    assert_eq!(std::fs::read(&store).unwrap(), std::fs::read(at("s.hypso")).unwrap());
}

#[test]
fn what_can_not_be_published_changes_nothing() {
    let (folder, at) = scratch();
    outputs(folder.path());
    let to = at("published");
    ok(&["publish", &at("s.pmtiles"), "--alone", "-o", &to]);
    let first = current(&to);
    assert_eq!(names(&Path::new(&to).join("current")), ["s.pmtiles", "version.json"]);
    let before = (names(Path::new(&to)), names(&Path::new(&to).join("versions")));

    // A tile that does not decode.
    let mut bytes = std::fs::read(at("s.pmtiles")).unwrap();
    let at_tile = bytes.windows(4).rposition(|w| w == b"RIFF").unwrap();
    bytes[at_tile + 20..at_tile + 28].fill(0xff);
    std::fs::write(at("bad.pmtiles"), bytes).unwrap();
    let output = hypso(&["publish", &at("bad.pmtiles"), "-o", &to]);
    let said = String::from_utf8(output.stdout.clone()).unwrap();
    assert_eq!(output.status.code(), Some(3), "{said} {}", stderr(&output));
    assert!(said.contains("error  bad.pmtiles: tile ") && said.contains("not published"), "{said}");

    fails(2, &["<FILE>"], &["publish", "-o", &to]);
    fails(1, &["none.pmtiles", "check the path"], &["publish", &at("none.pmtiles"), "-o", &to]);
    fails(2, &["is no file"], &["publish", &to, "-o", &to]);
    std::fs::create_dir(at("other")).unwrap();
    std::fs::copy(at("s.pmtiles"), at("other/s.pmtiles")).unwrap();
    fails(2, &["one file of a name"], &["publish", &at("s.pmtiles"), &at("other/s.pmtiles"), "-o", &to]);
    fails(2, &["is no folder"], &["publish", &at("s.pmtiles"), "-o", &at("s.hypso")]);
    fails(1, &["make the folder"], &["publish", &at("s.pmtiles"), "-o", &at("none/published")]);
    fails(2, &["holds no versions"], &["publish", "--list", "-o", &at("other")]);
    assert_eq!((names(Path::new(&to)), names(&Path::new(&to).join("versions"))), before);
    assert_eq!(current(&to), first);

    // Two at once: the second one is told so.
    let lock = std::fs::File::open(format!("{to}/.publish.lock")).unwrap();
    lock.lock().unwrap();
    fails(1, &["is held by another process"], &["publish", &at("s.pmtiles"), "-o", &to]);
    assert_eq!(list(&to)["current"], Value::String(first));
    drop(lock);

    // A name that is taken by something else.
    std::fs::create_dir_all(at("taken/current")).unwrap();
    std::fs::write(at("taken/current/mine"), "mine").unwrap();
    fails(1, &["taken/current", "is no link to a version"], &["publish", &at("s.pmtiles"), "-o", &at("taken")]);
    assert_eq!(std::fs::read(at("taken/current/mine")).unwrap(), b"mine");
}

#[test]
fn killed_at_any_moment_one_whole_version_is_in_use() {
    let (folder, at) = scratch();
    outputs(folder.path());
    let to = at("published");
    ok(&["publish", &at("s.pmtiles"), "-o", &to]);
    let mut seen = BTreeSet::from([current(&to)]);
    let keep = ["--keep-last", "2", "--keep-daily", "0", "--keep-weekly", "0", "--keep-monthly", "0"];
    for n in 0..12u64 {
        let pause = Duration::from_millis(10 + n * 25);
        let mut command = Command::new(env!("CARGO_BIN_EXE_hypso"));
        command.args([&["publish", &at("s.pmtiles"), "-o", &to], &keep[..]].concat());
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(pause);
        let _ = child.kill();
        let _ = child.wait();
        seen.insert(current(&to));
        assert_eq!(std::fs::read(format!("{to}/current/s.pmtiles")).unwrap(), std::fs::read(at("s.pmtiles")).unwrap());
        ok(&["publish", "--check", "-o", &to]);
    }
    printed(&[&["publish", &at("s.pmtiles"), "-o", &to], &keep[..]].concat());
    assert!(seen.insert(current(&to)));
    assert_eq!(names(Path::new(&to)), [".publish.lock", "current", "versions"]);
    let left = names(&Path::new(&to).join("versions"));
    assert!(left.len() == 2 && !left.iter().any(|name| name.starts_with('.')), "{left:?}");
}

#[cfg(feature = "serve")]
#[test]
fn a_server_follows_the_link() {
    use hypso::serve::{Input, Options, Server};

    let (folder, at) = scratch();
    outputs(folder.path());
    let to = at("published");
    ok(&["publish", &at("s.pmtiles"), "--alone", "-o", &to]);
    let mut options = Options::default();
    options.listen = "127.0.0.1:0".into();
    options.inputs.push(Input::parse(&format!("{to}/current/s.pmtiles")).unwrap());
    let running = Server::new(options).unwrap().start().unwrap();
    let zooms = || crate::http::get(running.address(), "/s.json").ok()["maxzoom"].as_u64().unwrap();
    let whole = zooms();
    ok(&["extract", &at("s.pmtiles"), "-o", &at("part.pmtiles"), "--max-zoom", "10"]);
    std::fs::rename(at("part.pmtiles"), at("s.pmtiles")).unwrap();
    ok(&["publish", &at("s.pmtiles"), "--alone", "-o", &to]);
    let wait_for = |zoom| {
        let seen = (0..100).any(|_| {
            zooms() == zoom || {
                std::thread::sleep(Duration::from_millis(100));
                false
            }
        });
        assert!(seen, "{} instead of {zoom}", zooms());
    };
    wait_for(10);
    ok(&["publish", "--rollback", "-o", &to]);
    wait_for(whole);
}
