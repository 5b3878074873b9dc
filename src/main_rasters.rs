//! The `hypso-rasters` program: hypso with GDAL. `hypso` starts it for commands that read rasters.

fn main() -> std::process::ExitCode {
    hypso::program_with_rasters()
}
