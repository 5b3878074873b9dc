#!/bin/sh
# Says what to do where Rust is missing.
set -eu
command -v cargo >/dev/null 2>&1 && exit 0
echo "error: cargo is missing; install Rust (1.90 or newer) with rustup or your distribution's packages" >&2
exit 1
