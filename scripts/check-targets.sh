#!/bin/sh
# Checks that the library without features builds for other processors: stores from bytes, queries, containers on
# wasm32-unknown-unknown, and the vector instructions of 64-bit ARM. Nothing is run.
#
# Takes a target of the installed toolchain where it has it. Else, where there is apt-get, Debian's rustc-web and
# its sources of the standard library, which is built along: the packages are unpacked below target/, nothing is
# installed. Else it says that the check was skipped; with --must that is a failure.
set -eu
cd "$(dirname "$0")/.."
targets="wasm32-unknown-unknown aarch64-unknown-linux-gnu"

skip() {
    echo "SKIPPED: the library was not built for$missing: $1" >&2
    [ "$must" != --must ] || exit 1
    exit 0
}
have() { command -v "$1" >/dev/null 2>&1; }
must=${1:-}
set -- --target-dir target/others --no-default-features --lib

missing=""
for target in $targets; do
    if [ -d "$(rustc --print sysroot)/lib/rustlib/$target/lib" ]; then
        cargo build --target "$target" "$@"
    else
        missing="$missing $target"
    fi
done
[ -n "$missing" ] || exit 0

remedy="run \`rustup target add$missing\`"
{ have apt-get && have apt-cache && have dpkg; } || skip "$remedy"
folder=$PWD/target/other-toolchain
if [ ! -x "$folder/rustc" ]; then
    rm -rf "$folder"
    mkdir -p "$folder/packages" "$folder/root"
    if ! apt-cache show rust-web-src >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
        apt-get -o DPkg::Lock::Timeout=600 update -q >&2 || true
    fi
    apt-cache show rust-web-src >/dev/null 2>&1 || skip "this system has no package rust-web-src; $remedy"
    # The compiler, its standard library for build scripts, and the libraries that come with LLVM.
    packages=$(apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces \
        --no-enhances rustc-web | grep -E '^(rustc-web|libstd-rust-web.*|libllvm[0-9]+|libz3-4|libedit2|libffi8|libxml2)$')
    # shellcheck disable=SC2086
    (cd "$folder/packages" && apt-get -q download $packages rust-web-src) >&2 || skip "packages can't be downloaded; $remedy"
    for package in "$folder"/packages/*.deb; do dpkg -x "$package" "$folder/root"; done
    rm -rf "$folder/packages"
    libraries=$(dirname "$(find "$folder/root" -name 'librustc_driver-*.so' | head -n 1)")
    printf '#!/bin/sh\nLD_LIBRARY_PATH=%s exec %s "$@"\n' "$libraries" "$folder/root/usr/bin/rustc" >"$folder/rustc"
    chmod +x "$folder/rustc"
fi
version=$("$folder/rustc" --version) || skip "Debian's compiler does not start; $remedy"
needed=$(sed -n 's/^rust-version = "1\.\([0-9]*\)".*/\1/p' Cargo.toml)
[ "$(echo "$version" | cut -d. -f2)" -ge "$needed" ] || skip "Debian has $version, 1.$needed is needed; $remedy"
echo "$version with its own standard library" >&2
# Building the standard library is for nightly compilers; Debian's takes it with this variable. Optimised code takes
# minutes more, and would only be thrown away.
for target in $missing; do
    RUSTC="$folder/rustc" RUSTC_BOOTSTRAP=1 cargo build --target "$target" -Zbuild-std=std,panic_abort \
        --config 'profile.dev.package."*".opt-level=0' "$@"
done
