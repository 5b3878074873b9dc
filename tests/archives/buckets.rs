//! Archives in buckets: an S3 server by moto, written to and read from by the real program.
#![cfg(all(feature = "remote", feature = "cli"))]

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::objects::{Kind, S3, Slow, client};
use super::remote::{names, noise, said};

/// An S3 server with an empty bucket `bucket`.
struct Bucket(S3);

impl Bucket {
    /// On each kind of server.
    fn each() -> impl Iterator<Item = Self> {
        S3::each().inspect(|s3| s3.put("bucket", b"")).map(Self)
    }

    fn run(&self, folder: &Path, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hypso"));
        command.args(arguments).current_dir(folder).env("NO_COLOR", "1").env("NO_PROXY", "127.0.0.1");
        command.envs(self.0.client());
        command.output().unwrap()
    }

    fn ok(&self, folder: &Path, arguments: &[&str]) {
        let output = self.run(folder, arguments);
        assert!(output.status.success(), "{arguments:?}: {}", said(&output));
    }

    fn fails(&self, folder: &Path, words: &[&str], arguments: &[&str]) {
        let before = names(folder);
        let output = self.run(folder, arguments);
        let said = said(&output);
        assert!(matches!(output.status.code(), Some(1 | 2)), "{arguments:?}: {said}");
        for word in words {
            assert!(said.contains(word), "{arguments:?}: no {word:?} in: {said}");
        }
        assert_eq!(names(folder), before, "{arguments:?}: {said}");
    }
}

#[test]
fn archives_go_into_a_bucket_and_come_back() {
    Bucket::each().for_each(|bucket| there_and_back(&bucket));
}

fn there_and_back(bucket: &Bucket) {
    let folder = tempfile::tempdir().unwrap();
    let (at, here) = (folder.path(), tempfile::tempdir().unwrap());
    noise(&at.join("small.pmtiles"), 5, 300);
    // 21,845 tiles, 24 MB: in three parts.
    noise(&at.join("large.pmtiles"), 7, 800);
    let given = |name: &str| at.join(name).display().to_string();
    let here = here.path();
    for name in ["small.pmtiles", "large.pmtiles"] {
        let url = format!("s3://bucket/folder/{name}");
        bucket.ok(here, &["convert", &given(name), "-o", &url]);
        assert_eq!(names(here), [""; 0], "the local archive is gone");
        bucket.ok(here, &["convert", &url, "-o", "back.pmtiles"]);
        assert_eq!(std::fs::read(here.join("back.pmtiles")).unwrap(), std::fs::read(at.join(name)).unwrap());
        std::fs::remove_file(here.join("back.pmtiles")).unwrap();
        bucket.fails(here, &[&url, "exists already", "--overwrite"], &["convert", &given(name), "-o", &url]);
        bucket.ok(here, &["extract", &given("small.pmtiles"), "-o", &url, "--max-zoom", "3", "--overwrite"]);
        bucket.ok(here, &["inspect", &url]);
        bucket.ok(here, &["extract", &given("small.pmtiles"), "-o", "part.pmtiles", "--max-zoom", "3"]);
        bucket.ok(here, &["diff", &url, "part.pmtiles"]);
        std::fs::remove_file(here.join("part.pmtiles")).unwrap();
    }
    bucket.ok(here, &["convert", &given("small.pmtiles"), "-o", "s3://bucket/small.mbtiles"]);
    bucket.fails(here, &["is MBTiles", "download it first"], &["inspect", "s3://bucket/small.mbtiles"]);
    bucket.fails(
        here,
        &["s3://bucket/none.pmtiles: there is no such object"],
        &["inspect", "s3://bucket/none.pmtiles"],
    );
    bucket.fails(here, &["s3://none/a.pmtiles", "NoSuchBucket"], &["inspect", "s3://none/a.pmtiles"]);
    let small = given("small.pmtiles");
    bucket.fails(here, &["no folder of tiles"], &["convert", &small, "-o", "s3://bucket/tiles"]);
    bucket.fails(here, &["is no place for an output"], &["convert", &small, "-o", "https://example.org/a.pmtiles"]);
    // What lies here under the object's name stays.
    std::fs::write(here.join("mine.pmtiles"), "mine").unwrap();
    bucket.fails(
        here,
        &["mine.pmtiles: exists already"],
        &["convert", &small, "-o", "s3://bucket/mine.pmtiles", "--overwrite"],
    );
    assert_eq!(std::fs::read(here.join("mine.pmtiles")).unwrap(), b"mine");
}

/// The program in a folder, with an S3 server at this address.
fn command(server: SocketAddr, folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hypso"));
    command.args(arguments).current_dir(folder).env("NO_COLOR", "1").env("NO_PROXY", "127.0.0.1");
    command.envs(client(server));
    command
}

/// How many parts the note of an upload has.
fn noted(folder: &Path) -> usize {
    let text = std::fs::read(folder.join("x.pmtiles.upload")).unwrap_or_default();
    let note: serde_json::Value = serde_json::from_slice(&text).unwrap_or_default();
    note["parts"].as_object().map_or(0, |parts| parts.len())
}

#[test]
fn an_upload_that_was_interrupted_goes_on_where_it_stopped() {
    Bucket::each().for_each(|bucket| interrupted(&bucket));
}

fn interrupted(bucket: &Bucket) {
    let folder = tempfile::tempdir().unwrap();
    // 56 MB: seven parts, of which four are under way at once.
    noise(&folder.path().join("a.pmtiles"), 7, 1700);
    let given = folder.path().join("a.pmtiles").display().to_string();
    let bytes = std::fs::read(&given).unwrap();
    assert!(bytes.len() > 48 << 20, "{}", bytes.len());
    let (url, part) = ("s3://bucket/x.pmtiles", 8 << 20);
    let slow = Slow::new(bucket.0.address, 8 << 20);
    let begin = |at: &Path| {
        slow.rate.store(8 << 20, Ordering::SeqCst);
        let mut child = command(slow.address, at, &["convert", &given, "-o", url]);
        let mut child = child.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let begun = Instant::now();
        while noted(at) < 2 && begun.elapsed() < Duration::from_secs(120) && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(5));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(names(at), ["x.pmtiles", "x.pmtiles.upload"]);
        slow.rate.store(1 << 40, Ordering::SeqCst);
        slow.sent.store(0, Ordering::SeqCst);
        noted(at)
    };
    let go_on = |at: &Path, expected: &[u8], arguments: &[&str]| {
        let output = command(slow.address, at, arguments).output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
        assert_eq!(names(at), [""; 0], "the local archive and the note are gone");
        bucket.ok(at, &["convert", url, "-o", "back.pmtiles"]);
        assert_eq!(std::fs::read(at.join("back.pmtiles")).unwrap(), expected);
        bucket.0.delete("bucket/x.pmtiles");
        slow.sent.load(Ordering::SeqCst)
    };
    let convert = ["convert", given.as_str(), "-o", url];
    // What is there is not sent again.
    let at = tempfile::tempdir().unwrap();
    let there = begin(at.path());
    let sent = go_on(at.path(), &bytes, &convert) as usize;
    assert!(
        (2..7).contains(&there) && sent < bytes.len() - there * part + part / 2,
        "{there} parts, {sent} bytes sent"
    );
    // Another archive under the same name: its own bytes.
    let at = tempfile::tempdir().unwrap();
    begin(at.path());
    let other = folder.path().join("b.pmtiles").display().to_string();
    bucket.ok(folder.path(), &["convert", &given, "-o", &other, "--set", "name=other"]);
    go_on(at.path(), &std::fs::read(&other).unwrap(), &["convert", &other, "-o", url]);
    // The store has given up the parts: all of it is sent. (moto fails with 500 where S3 says that there is no such upload.)
    if bucket.0.kind == Kind::LocalBucket {
        let at = tempfile::tempdir().unwrap();
        begin(at.path());
        let note = std::fs::read(at.path().join("x.pmtiles.upload")).unwrap();
        let note: serde_json::Value = serde_json::from_slice(&note).unwrap();
        bucket.0.delete(&format!("bucket/x.pmtiles?uploadId={}", note["upload"].as_str().unwrap()));
        go_on(at.path(), &bytes, &convert);
    }
    // A file that somebody else put there is left.
    let at = tempfile::tempdir().unwrap();
    begin(at.path());
    std::fs::write(at.path().join("x.pmtiles"), "mine").unwrap();
    let output = command(slow.address, at.path(), &convert).output().unwrap();
    assert!(!output.status.success() && said(&output).contains("exists already"), "{}", said(&output));
    assert_eq!(std::fs::read(at.path().join("x.pmtiles")).unwrap(), b"mine");
    assert!(bucket.0.names("bucket", "").is_empty(), "an upload that was interrupted is no object");
}
