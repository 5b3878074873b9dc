//! Keeps the bundled SQLite private to our own binaries.
//!
//! libgdal, libproj and libspatialite look for `sqlite3_*` symbols too. A program that exports the copy that
//! `rusqlite` bundles would make them run on it. `--exclude-libs,ALL` keeps static libraries' symbols inside.
fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        println!("cargo:rustc-link-arg=-Wl,--exclude-libs,ALL");
    }
}
