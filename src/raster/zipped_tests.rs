use std::io::{Cursor, Write};

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::*;
use crate::altered::altered;

fn zipped(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// The names, with `!` before those that can't be read.
fn names(path: &Path) -> Vec<String> {
    let name = |member: Member| if member.problem.is_some() { format!("!{}", member.name) } else { member.name };
    members(path).unwrap().into_iter().map(name).collect()
}

#[test]
fn members_of_zips_and_of_zips_in_them_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pack.ZIP");
    let deepest = zipped(&[("z.xml", b"z")]);
    let inner = zipped(&[("b/c.xml", b"inner"), ("deep.zip", &deepest)]);
    std::fs::write(
        &path,
        zipped(&[("x.xml", b"outer"), ("d/in.zip", &inner), ("bad.zip", b"none"), ("../up.xml", b"")]),
    )
    .unwrap();
    assert_eq!(names(&path), ["!../up.xml", "!bad.zip", "d/in.zip/b/c.xml", "!d/in.zip/deep.zip", "x.xml"]);
    // One after the other, as threads do that keep one zip open.
    for _ in 0..2 {
        assert_eq!(read(&path.join("x.xml"), 5).unwrap(), b"outer");
        assert_eq!(read(&path.join("d/in.zip/b/c.xml"), 5).unwrap(), b"inner");
    }
    assert!(read(&path.join("x.xml"), 4).unwrap_err().contains("has more than 4 bytes"));
    assert!(read(&path.join("none.xml"), 4).unwrap_err().contains("can't be unpacked"));
    assert!(is_member(&path.join("x.xml")) && !is_member(&path) && !is_member(&folder.path().join("x.xml")));
    // A folder of such a name is a folder.
    std::fs::create_dir(folder.path().join("f.zip")).unwrap();
    assert!(!is_member(&folder.path().join("f.zip/x.xml")));
    // A zip that was replaced is another one.
    std::fs::write(&path, zipped(&[("x.xml", b"newer one")])).unwrap();
    assert_eq!(read(&path.join("x.xml"), 50).unwrap(), b"newer one");
}

#[test]
fn what_needs_a_password_or_grows_without_end_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.zip");
    let mut bytes = zipped(&[("x.xml", b"0123456789")]);
    // The flag stands in the header of the file and in the directory.
    let directory = bytes.windows(4).position(|part| part == b"PK\x01\x02").unwrap();
    bytes[6] |= 1;
    bytes[directory + 8] |= 1;
    std::fs::write(&path, &bytes).unwrap();
    assert!(members(&path).unwrap()[0].problem.as_ref().unwrap().contains("is encrypted; unpack the zip"));
    assert!(read(&path.join("x.xml"), 50).is_err());
    // 64 MB of zeros after the directory of a zip, in 64 kB.
    let inner = [vec![0; 64 << 20], zipped(&[("x.xml", b"x")])].concat();
    std::fs::write(&path, zipped(&[("in.zip", &inner)])).unwrap();
    let members = members(&path).unwrap();
    assert!(members[0].problem.as_ref().unwrap().contains("in.zip in it has more than"), "{members:?}");
    let long = vec![b' '; 8 << 20];
    std::fs::write(&path, zipped(&[("x.xml", &long)])).unwrap();
    assert!(read(&path.join("x.xml"), 1 << 20).unwrap_err().contains("has more than 1048576 bytes"));
}

#[test]
fn altered_zips_are_refused_or_give_what_they_hold() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.zip");
    let inner = zipped(&[("c.xml", b"inner")]);
    let whole = zipped(&[("x.xml", &[7; 3000]), ("in.zip", &inner)]);
    let mut refused = 0;
    for seed in 0..3000 {
        std::fs::write(&path, altered(&whole, seed)).unwrap();
        match members(&path) {
            Ok(found) => {
                for member in found.iter().filter(|member| member.problem.is_none()) {
                    let content = read(&path.join(&member.name), 1 << 20);
                    refused += u32::from(content.is_err());
                    // A checksum guards what is read.
                    let same = content.as_ref().is_ok_and(|bytes| bytes != &[7; 3000] && bytes != b"inner");
                    assert!(!same || !member.name.ends_with(".xml") || content.unwrap().is_empty(), "{seed}");
                }
            }
            Err(words) => {
                refused += 1;
                assert!(!words.is_empty() && words.len() < 400, "{words}");
            }
        }
    }
    assert!(refused > 1000, "{refused}");
}
