#!/bin/sh
# Two pictures of the border between two surveys, hard and soft, for docs/seams.md. Takes the sample of `hypso sample`.
# HYPSO names the program, else the release build is made and taken; OUT the folder, else demo/.
set -eu
cd "$(dirname "$0")/.."
if [ -z "${HYPSO:-}" ]; then
    cargo build --release
    HYPSO=target/release/hypso
fi
out=${OUT:-demo}
mkdir -p "$out"
[ -d "$out/sample" ] || "$HYPSO" sample -o "$out/sample"

# As if the coarser survey had its heights over another datum.
cat >"$out/seam.toml" <<END
[[source]]
path = "sample/dem10"
[[source]]
path = "sample/aw30"
offset = -40
END
box="138.898 34.130 138.932 34.153"
"$HYPSO" build -o "$out/seam.hypso" --config "$out/seam.toml" --overwrite
for blend in 0 400; do
    "$HYPSO" aggregate "$out/seam.hypso" -o "$out/seam-$blend.pmtiles" --coverage full --min-zoom 13 --bbox $box \
        --blend $blend --overwrite
    "$HYPSO" preview "$out/seam-$blend.pmtiles" -o "$out/seam-$blend.png" --zoom 13 --bbox $box --overwrite
done
