//! The `hypso` program: parse, run, exit code. Everything lives in the library.
//!
//! It is linked without GDAL, whatever the features are, and starts `hypso-rasters` for commands that read rasters.

fn main() -> std::process::ExitCode {
    hypso::program()
}
