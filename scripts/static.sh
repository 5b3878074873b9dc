#!/bin/sh
# Builds `hypso` without GDAL as one static file, and checks that it is one: queries, archives, heights, the server, assembling.
# With --quick it is built as fast as can be, for the check alone.
set -eu
cd "$(dirname "$0")/.."
target=$(rustc -vV | sed -n 's/^host: //p')
if [ "${1:-}" = --quick ]; then
    # Optimised code takes minutes more, and would only be thrown away.
    set -- --config 'profile.dev.opt-level=0' --config 'profile.dev.package."*".opt-level=0' --config 'profile.dev.debug=0'
    profile=debug
else
    set -- --profile static
    profile=static
fi
# --target keeps the flag away from build scripts and macros, which can't be static.
RUSTFLAGS="-C target-feature=+crt-static" cargo build --locked --target "$target" --target-dir target/static \
    --no-default-features --features cli,geoparquet,remote,serve --bin hypso "$@"
made=target/static/$target/$profile/hypso
if ldd "$made" 2>&1 | grep -q '=>'; then
    echo "error: $made needs shared libraries:" >&2
    ldd "$made" >&2
    exit 1
fi
"$made" --version
echo "$made is one static file of $(wc -c <"$made") bytes"
