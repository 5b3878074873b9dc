//! The `hypso` program: parse, run, exit code. Everything lives in the library.

fn main() -> std::process::ExitCode {
    hypso::program()
}
