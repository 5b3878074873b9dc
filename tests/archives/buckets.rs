//! Archives in buckets: an S3 server by moto, written to and read from by the real program.
#![cfg(all(feature = "remote", feature = "cli"))]

use std::path::Path;
use std::process::{Command, Output};

use super::objects::S3;
use super::remote::{names, noise, said};

/// An S3 server with an empty bucket `bucket`.
struct Bucket(S3);

impl Bucket {
    /// `None` where moto is not installed; under CI that is a failure.
    fn new() -> Option<Self> {
        let s3 = S3::new()?;
        s3.put("bucket", b"");
        Some(Self(s3))
    }

    fn run(&self, folder: &Path, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hypso"));
        command.args(arguments).current_dir(folder).env("NO_COLOR", "1").env("NO_PROXY", "127.0.0.1");
        command.env("AWS_ENDPOINT_URL", format!("http://{}", self.0.address)).env("AWS_ALLOW_HTTP", "true");
        command.env("AWS_ACCESS_KEY_ID", "key").env("AWS_SECRET_ACCESS_KEY", "secret").env("AWS_REGION", "us-east-1");
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
    let Some(bucket) = Bucket::new() else { return };
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
