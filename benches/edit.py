#!/usr/bin/env python3
"""What `hypso edit` and `hypso overviews` take.

    cargo build --release
    target/venv/bin/python benches/edit.py [--folder DIR] [--tiles 1000 100000 1000000] [--terrain ARCHIVE]

- `edit --name` of MBTiles and PMTiles of each number of tiles: the time must not depend on it. `--recount` beside it does.
- with `--terrain`, an archive of heights: its finest zoom alone, then `overviews` of that, and `convert --encoding` of as many tiles to the other
  encoding, which decodes and encodes each of them once. The target is 0.7 of its tiles a second at least.

Wall seconds, the best of five rounds (one for `--terrain`).
"""

import argparse
import json
import os
import sqlite3
import subprocess
import tempfile
import time

HYPSO = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "target", "release", "hypso")


def run(*arguments):
    start = time.perf_counter()
    done = subprocess.run([HYPSO, *arguments], check=True, capture_output=True, text=True)
    return time.perf_counter() - start, done.stdout


def make(path, tiles):
    db = sqlite3.connect(path)
    db.executescript(
        "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; CREATE TABLE metadata (name TEXT, value TEXT);"
        "CREATE TABLE tiles (zoom_level INTEGER, tile_column INTEGER, tile_row INTEGER, tile_data BLOB);"
        "INSERT INTO metadata VALUES ('name', 'bench'), ('format', 'webp');"
    )
    side = 1024
    rows = ((10, n // side, n % side, b"RIFF\0\0\0\0WEBP" + n.to_bytes(8, "little") * 20) for n in range(tiles))
    db.executemany("INSERT INTO tiles VALUES (?, ?, ?, ?)", rows)
    db.execute("CREATE UNIQUE INDEX tile_index ON tiles (zoom_level, tile_column, tile_row)")
    db.commit()
    db.close()


def edits(folder, counts):
    print(f"{'tiles':>10}  {'archive':8}  {'edit':>8}  {'recount':>8}")
    for count in counts:
        path = os.path.join(folder, f"{count}.mbtiles")
        make(path, count)
        other = path.replace(".mbtiles", ".pmtiles")
        run("convert", path, "-o", other, "--overwrite")
        for archive in (path, other):
            edit = min(run("edit", archive, "--name", f"round {n}")[0] for n in range(5))
            recount = min(run("edit", archive, "--recount")[0] for _ in range(3))
            print(f"{count:>10}  {archive[-7:]:8}  {edit * 1000:6.1f}ms  {recount * 1000:6.1f}ms")


def tiles_of(archive):
    return json.loads(run("inspect", archive, "--format", "json")[1])["tiles"]


def overviews(folder, terrain):
    finest = json.loads(run("inspect", terrain, "--format", "json")[1])["zooms"][-1]["zoom"]
    fine, made, plain = (os.path.join(folder, name) for name in ("fine.pmtiles", "made.pmtiles", "plain.pmtiles"))
    run("extract", terrain, "-o", fine, "--zoom", str(finest), "--overwrite")
    took, _ = run("overviews", fine, "-o", made, "--overwrite")
    new = tiles_of(made) - tiles_of(fine)
    encoded, _ = run("convert", fine, "-o", plain, "--vertical-resolution", "full", "--overwrite")
    count = tiles_of(plain)
    print(f"overviews: {new} tiles in {took:.2f} s, {new / took:.1f} a second, {4 * new / took:.1f} finer ones decoded")
    print(f"plain encoding: {count} tiles in {encoded:.2f} s, {count / encoded:.1f} a second")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder")
    parser.add_argument("--tiles", type=int, nargs="+", default=[1000, 100_000, 1_000_000])
    parser.add_argument("--terrain")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        edits(folder, args.tiles)
        if args.terrain:
            overviews(folder, args.terrain)


if __name__ == "__main__":
    main()
