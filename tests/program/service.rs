//! A service of somebody else that depends on the crate with `gdal`: two SQLites in one process must not meet.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::program::{World, ok, scratch};

/// What the service does: a store, an MBTiles (hypso's SQLite) and a GeoPackage (the system's, through GDAL).
const MAIN: &str = r#"
use hypso::render::{GdalOpener, RasterReader};
use hypso::{Store, archive, progress::Silent};

fn main() -> Result<(), hypso::Error> {
    let files: Vec<std::path::PathBuf> = std::env::args_os().skip(1).map(Into::into).collect();
    let store = Store::open(&files[0])?;
    let tiles = archive::open(&files[1])?.tile_count()?;
    let mut features = 0;
    GdalOpener.tables().read(&files[2], "location", &Silent, &mut |_| {
        features += 1;
        Ok(())
    })?;
    println!("{} {features} {}", store.len(), tiles > 0);
    let missing = Store::open("missing.hypso").map(drop);
    assert!(missing.is_err_and(|error| error.is_not_found()));
    Ok(())
}
"#;

/// A project beside the ones of this workspace, with the same dependencies at the same versions.
fn project(folder: &Path) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = format!(
        "[package]\nname = \"service\"\nversion = \"0.0.0\"\nedition = \"2024\"\nautobins = false\n\
         [workspace]\n\
         [dependencies]\nhypso = {{ path = {root:?}, default-features = false, features = [\"gdal\"] }}\n\
         [[bin]]\nname = \"service\"\npath = \"main.rs\"\n\
         [[bin]]\nname = \"service-bare\"\npath = \"main.rs\"\n\
         [profile.dev]\nopt-level = 0\ndebug = \"line-tables-only\"\n\
         [profile.dev.package.\"*\"]\nopt-level = 2\n[profile.dev.package.hypso]\nopt-level = 0\n"
    );
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    std::fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    std::fs::write(folder.join("main.rs"), MAIN).unwrap();
    // What the document says, for one of the two programs.
    let document = std::fs::read_to_string(root.join("docs/library.md")).unwrap();
    let code = document.split("```rust\n").nth(1).and_then(|code| code.split("```").next()).unwrap();
    assert!(code.contains("link-arg-bins=-Wl,--exclude-libs,ALL"), "{code}");
    std::fs::write(folder.join("build.rs"), code.replace("link-arg-bins", "link-arg-bin=service")).unwrap();
}

/// The symbols of SQLite that a program gives to the libraries it loads.
fn exported(program: &Path) -> usize {
    let output = Command::new("nm").args(["-D", "--defined-only"]).arg(program).output().unwrap();
    assert!(output.status.success(), "nm: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().filter(|line| line.contains("sqlite3_")).count()
}

#[test]
#[cfg(target_os = "linux")]
fn a_service_with_gdal_keeps_its_sqlite_to_itself() {
    let world = World::get();
    let (_folder, at) = scratch();
    let files = [world.path("s.hypso"), at("s.mbtiles"), at("s.gpkg")];
    ok(&["convert", &world.path("s.pmtiles"), "-o", &files[1]]);
    ok(&["export", &files[0], "-o", &files[2]]);
    let records = hypso::Store::open(&files[0]).unwrap().len();

    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("service");
    project(&folder);
    // The same folder of objects, so that dependencies are there already.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let cargo = std::env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from);
    let built = Command::new(cargo)
        .args(["build", "--offline", "--quiet"])
        .current_dir(&folder)
        .env("CARGO_TARGET_DIR", target)
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let program = |name: &str| target.join("debug").join(name);
    let output = Command::new(program("service")).args(&files).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), format!("{records} {records} true"), "{said}");
    assert_eq!(exported(&program("service")), 0, "with the line of docs/library.md");
    assert!(exported(&program("service-bare")) > 0, "the line is not needed any more: take it out of docs/library.md");
}
