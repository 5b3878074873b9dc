#!/bin/sh
# Tests the viewer: what is committed is what its sources make, its parts in Node, the whole in headless Chromium.
set -eu
cd "$(dirname "$0")/.."
if ! command -v npm >/dev/null 2>&1; then
    echo "SKIPPED: the viewer was not tested, because there is no Node; install Debian's npm" >&2
    exit 0
fi
src/serve/viewer/build.sh --check
node --test src/serve/viewer/test/
scripts/check-cargo.sh
cargo build
exec node scripts/browser_viewer.mjs --hypso target/debug/hypso "$@"
