#!/bin/sh
# Runs all tests: the whole program, and the library without default features.
set -eu
cd "$(dirname "$0")/.."
scripts/check-cargo.sh
scripts/install-gdal.sh --tests
# Readers by others, to check what hypso writes.
venv=target/venv
if [ ! -x "$venv/bin/python" ]; then
    python3 -m venv "$venv" || { echo "error: python3 can't make a virtual environment; install python3-venv" >&2; exit 1; }
fi
"$venv/bin/python" -c 'import hamilton, jsonschema, localbucket, moto, numpy, openlineage.client, pmtiles, pyarrow, pymbtiles, PIL, rasterio, rfc3339_validator, xxhash, yaml, zstandard' 2>/dev/null ||
    "$venv/bin/python" -m pip install -q --disable-pip-version-check 'localbucket>=1.2,<2' 'moto[server]>=5,<6' 'numpy<3' 'openlineage-python>=1.50,<2' 'sf-hamilton>=1.88,<2' jsonschema rfc3339-validator pyyaml 'pmtiles>=3.4,<4' pyarrow pymbtiles pillow \
        'rasterio>=1.4,<2' xxhash zstandard
PATH="$PWD/$venv/bin:$PATH"
export PATH
cargo test --no-fail-fast
cargo test --no-default-features --lib --test store
