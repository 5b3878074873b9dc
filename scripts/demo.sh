#!/bin/sh
# Builds everything and runs the main job on a sample: rasters, store, tiles, PMTiles, check, picture.
set -eu
cd "$(dirname "$0")/.."
scripts/check-cargo.sh
scripts/install-gdal.sh
cargo build --release
hypso=target/release/hypso
out=demo
mkdir -p "$out"

step() { printf '\n$ hypso %s\n' "$*" >&2; "$hypso" "$@"; }

step sample -o "$out/sample" --overwrite
step build -o "$out/sample.hypso" --config "$out/sample/hypso.toml" --overwrite
step info "$out/sample.hypso"
step aggregate "$out/sample.hypso" -o "$out/sample.pmtiles" --lineage --overwrite
step verify "$out/sample.pmtiles"
step preview "$out/sample.pmtiles" -o "$out/relief.png" --overwrite

cat <<END

Done. What was made, in $out/:
  sample/           the rasters of an island that does not exist, three surveys
  sample.hypso      the store: footprints and indices, mapped by every process
  sample.pmtiles    the terrain tiles (terrarium, lossless WebP, 512 px)
  sample-lineage.pmtiles  which survey each pixel came from
  relief.png        a picture of both; look at it

Next, with your own rasters, the folder that shall win first:
  $hypso tiles FINE_FOLDER COARSE_FOLDER -o terrain.pmtiles
END
