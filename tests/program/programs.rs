//! Two programs: `hypso`, which starts without GDAL, and `hypso-rasters`, which it starts where rasters are read.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::program::{HYPSO, RASTERS, World, run, stderr};

/// A folder in which `hypso` stands alone.
fn alone() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let program = folder.path().join("hypso");
    std::fs::hard_link(HYPSO, &program).or_else(|_| std::fs::copy(HYPSO, &program).map(|_| ())).unwrap();
    (folder, program)
}

/// A program that says how it was called.
fn write_script(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(path, format!("#!/bin/sh\n{text}\n")).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn hypso_is_linked_without_gdal_and_the_other_with_it() {
    let small = run("ldd", &[HYPSO]);
    assert!(!small.contains("gdal") && small.lines().count() <= 6, "{small}");
    assert!(run("ldd", &[RASTERS]).contains("libgdal"));
}

#[test]
fn alone_it_does_all_that_needs_no_rasters_and_says_what_is_missing() {
    let world = World::get();
    let (_folder, program) = alone();
    let hypso = |args: &[&str]| Command::new(&program).args(args).output().unwrap();
    for args in [
        vec!["info", &world.path("s.hypso")],
        vec!["inspect", &world.path("s.pmtiles")],
        vec!["verify", &world.path("s.hypso")],
        vec!["serve", "--check", &world.path("s.hypso"), &world.path("s.pmtiles")],
        vec!["tiles", "--help"],
    ] {
        let output = hypso(&args);
        assert!(output.status.success(), "{args:?}: {}", stderr(&output));
    }
    let tif = world.folder.path().join("alone.tif").display().to_string();
    for args in [
        vec!["tiles", &world.path("s/lidar2"), "-o", &world.path("alone.pmtiles")],
        vec!["convert", &world.path("s.pmtiles"), "-o", &tif],
        vec!["verify", &world.path("s.pmtiles"), "--against", &world.path("s.hypso")],
    ] {
        let output = hypso(&args);
        let said = stderr(&output);
        assert!(output.status.code() == Some(1) && said.contains("hypso-rasters is not there"), "{args:?}: {said}");
    }
    assert!(!Path::new(&tif).exists());
}

#[test]
fn arguments_signals_and_exit_codes_are_those_of_the_program_that_works() {
    let (folder, program) = alone();
    write_script(&folder.path().join("hypso-rasters"), "echo \"$$\" \"$@\"; exit 75");
    let child = Command::new(&program)
        .args(["--progress", "none", "sample", "-o", "a folder", "--seed", "7"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let number = child.id();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(said.trim_end(), format!("{number} --progress none sample -o a folder --seed 7"));
    assert_eq!(output.status.code(), Some(75));
}

#[test]
fn programs_of_two_versions_do_not_work_together() {
    let output = Command::new(RASTERS).args(["--version"]).env("HYPSO_STARTED_BY", "0.0.1").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("hypso beside it is 0.0.1; install both of one version"), "{}", stderr(&output));
    let output = Command::new(RASTERS).args(["--version"]).output().unwrap();
    assert!(output.status.success());
}
