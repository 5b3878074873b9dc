//! Inputs and outputs that can't be archives, and names that would write to the terminal.

use super::*;

#[test]
fn urls_pipes_and_the_standard_output_are_told_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    pmtiles(&at.join("a.pmtiles"), &tiles(), &[]);
    // With the feature `remote`, archives at URLs are read: `tests/archives/remote.rs`.
    let remote = cfg!(feature = "remote");
    for url in ["https://example.org/a.pmtiles", "s3://bucket/a.pmtiles", "pmtiles://https://example.org/a"] {
        for arguments in [
            &["info", url][..],
            &["query", url, "--point", "1", "2"],
            &["export", url, "-o", "out.geojson"],
            &["edit", url, "--name", "x"],
            &["overviews", url, "--in-place"],
            &["overzoom", url, "--in-place", "--max-zoom", "9"],
            #[cfg(feature = "gdal")]
            &["aggregate", url, "-o", "out.pmtiles"],
        ] {
            fails(at, 1, &["looks like a URL", "download it first"], arguments);
        }
        // Of a build without GDAL there is no such command.
        #[cfg(feature = "gdal")]
        fails(
            at,
            1,
            &[if url.starts_with("pmtiles") { "looks like a URL" } else { "--allow-remote" }],
            &["build", url, "-o", "out.hypso"],
        );
        // Archives go into buckets, and come from URLs.
        if !remote || !url.starts_with("s3") {
            fails(
                at,
                2,
                &[if remote && url.starts_with("http") { "bucket" } else { "looks like a URL" }],
                &["convert", "a.pmtiles", "-o", url],
            );
        }
        if remote && !url.starts_with("pmtiles") {
            continue;
        }
        for arguments in [
            &["convert", url, "-o", "out.pmtiles"][..],
            &["extract", url, "-o", "out.pmtiles", "--max-zoom", "3"],
            &["merge", url, "a.pmtiles", "-o", "out.pmtiles"],
            &["overviews", url, "-o", "out.pmtiles"],
            &["overzoom", url, "-o", "out.pmtiles", "--max-zoom", "9"],
            &["merge", url, "--into", "none.mbtiles"],
            &["diff", "a.pmtiles", url],
            &["patch", url, "a.pmtiles", "-o", "out.pmtiles"],
            &["inspect", url],
            &["tile", url, "0/0/0", "--decode"],
            &["verify", url],
            &["preview", url, "-o", "out.png"],
        ] {
            fails(at, 1, &["looks like a URL", "download it first"], arguments);
        }
    }
    for output in ["-", "/dev/stdout"] {
        fails(at, 2, &[output, "name of a file"], &["convert", "a.pmtiles", "-o", output, "--overwrite"]);
    }
    fails(at, 2, &["standard output"], &["preview", "a.pmtiles", "-o", "-", "--zoom", "3"]);
    #[cfg(unix)]
    for command in
        [&["inspect", "/dev/stdin"][..], &["convert", "/dev/stdin", "-o", "out.pmtiles"], &["info", "/dev/stdin"]]
    {
        let mut child = Command::new(HYPSO)
            .args(command)
            .current_dir(at)
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let _ = child.stdin.take().unwrap().write_all(&std::fs::read(at.join("a.pmtiles")).unwrap());
        let said = String::from_utf8(child.wait_with_output().unwrap().stderr).unwrap();
        assert!(said.contains("is a pipe") && said.contains("local file"), "{command:?}: {said}");
    }
    // A pipe that nobody writes to is no reason to wait.
    #[cfg(unix)]
    if Command::new("mkfifo").arg(at.join("pipe")).status().is_ok_and(|status| status.success()) {
        fails(at, 1, &["is a pipe"], &["inspect", "pipe"]);
        fails(at, 1, &["is a pipe"], &["info", "pipe"]);
        fails(at, 2, &["is a pipe"], &["convert", "a.pmtiles", "-o", "pipe", "--overwrite"]);
    }
}

#[test]
fn control_characters_out_of_files_do_nothing_to_a_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    mbtiles(
        &at.join("a.mbtiles"),
        &tiles(),
        false,
        &[("name", "red \u{1b}[31m"), ("scheme", "xyz\u{1b}"), ("bounds", "\u{1b}[2J")],
    );
    for arguments in [&["inspect", "a.mbtiles"][..], &["convert", "a.mbtiles", "-o", "out"], &["verify", "a.mbtiles"]] {
        let (_, said) = hypso(at, arguments);
        assert!(!said.contains('\u{1b}'), "{arguments:?}: {said:?}");
    }
    // A format out of an archive leads to no other folder.
    let odd: Tiles = tiles().keys().map(|id| (*id, b"odd".to_vec())).collect();
    mbtiles(&at.join("b.mbtiles"), &odd, false, &[("format", "../../../x")]);
    ok(at, &["4 tiles"], &["convert", "b.mbtiles", "-o", "out2"]);
    assert!(at.join("out2/0/0/0.bin").is_file());
    assert_eq!(read(&at.join("out2")), odd);
}
