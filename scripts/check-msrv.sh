#!/bin/sh
# Builds the library and the program with the oldest Rust that Cargo.toml promises (`rust-version`).
#
# Takes the toolchain from rustup, which installs it where it is missing. Where that is not possible it says that the check was
# skipped; with --must that is a failure.
set -eu
cd "$(dirname "$0")/.."
version=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
must=${1:-}

skip() {
    echo "SKIPPED: not built with Rust $version: $1" >&2
    [ "$must" != --must ] || exit 1
    exit 0
}
command -v rustup >/dev/null 2>&1 || skip "rustup is missing"
cargo "+$version" --version >/dev/null 2>&1 ||
    rustup toolchain install "$version" --profile minimal --no-self-update >&2 ||
    skip "rustup can't install it"
cargo "+$version" check --locked --target-dir target/msrv --no-default-features --lib
cargo "+$version" check --locked --target-dir target/msrv --lib --bins
