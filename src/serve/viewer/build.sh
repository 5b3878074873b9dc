#!/bin/sh
# Builds the viewer from src/ and npm packages into dist/ and table.rs, both of which are committed. Needs Node 20 or newer.
#
#     src/serve/viewer/build.sh            # build
#     src/serve/viewer/build.sh --install  # only fetch the packages, into target/viewer/
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
[ "${1-}" = --install ] && exit 0
rm -rf "$work/src"
cp -r "$here/src" "$here/build.mjs" "$work/"
(cd "$work" && node build.mjs "$here")
