#!/bin/sh
# Builds the viewer from src/ and npm packages into dist/ and table.rs, both of which are committed. Needs Node 20 or newer.
#
#     src/serve/viewer/build.sh            # build
#     src/serve/viewer/build.sh --check    # fail where what is committed is not what src/ makes
#
# Packages and intermediate files stay in target/viewer/, so that src/ holds what is written and what is served, nothing else.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(cd "$here/../../.." && pwd)/target/viewer
mkdir -p "$work"
cp "$here/package.json" "$here/package-lock.json" "$work/"
if ! cmp -s "$work/package-lock.json" "$work/node_modules/.installed"; then
    (cd "$work" && npm ci --no-audit --no-fund --ignore-scripts)
    cp "$work/package-lock.json" "$work/node_modules/.installed"
fi
rm -rf "$work/src"
cp -r "$here/src" "$here/build.mjs" "$work/"
target=$here
if [ "${1-}" = --check ]; then
    target=$work/check
    mkdir -p "$target"
fi
(cd "$work" && node build.mjs "$target")
# The table holds a digest of every file. Packed bytes may differ between versions of zlib.
if ! cmp -s "$target/table.rs" "$here/table.rs"; then
    echo "error: dist/ is not what src/ makes; run src/serve/viewer/build.sh and commit dist/ and table.rs" >&2
    exit 1
fi
