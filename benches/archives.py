#!/usr/bin/env python3
"""hypso's archive commands beside others, on the same files, in turns, in one run.

    cargo build --release
    target/venv/bin/python benches/archives.py [--folder DIR] [--tiles 200000] [--bytes 6000] [--rounds 3] [--clustered]

Makes an MBTiles of `--tiles` tiles of made-up content with the sizes of real terrain tiles (log-normal, `--bytes` in the
mean, one in five a tile of the sea that repeats), with Python's own sqlite3 in the order of the index, and then measures

- MBTiles -> PMTiles: `hypso convert`, PyPI `pmtiles-convert`, and copying the bytes with `cp` and `sync`;
- four MBTiles into one: `hypso merge` (every overlap checked) and SQL `ATTACH` + `INSERT SELECT` + index (nothing checked);
- `versatiles` (both) and `mbtiles copy` (merging, without and with its hash over all tiles), where they are on the path: see
  tests/archives/interop.rs for how to build them.

Wall and CPU seconds and the largest resident memory of each process, the best of the rounds. hypso syncs what it writes; so a
`sync` of the output is part of every measurement.
"""

import argparse
import multiprocessing
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
HYPSO = os.path.join(HERE, "..", "target", "release", "hypso")


def schema(db):
    db.executescript(
        "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; CREATE TABLE metadata (name TEXT, value TEXT);"
        "CREATE TABLE tiles (zoom_level INTEGER, tile_column INTEGER, tile_row INTEGER, tile_data BLOB);"
    )
    rows = {"name": "bench", "format": "webp", "minzoom": "0", "maxzoom": "20", "encoding": "terrarium",
            "tileSize": "512", "bounds": "-180,-85,180,85", "center": "0,0,0", "type": "overlay", "version": "1", "description": "x"}
    db.executemany("INSERT INTO metadata VALUES (?, ?)", rows.items())


INDEX = "CREATE UNIQUE INDEX tile_index ON tiles (zoom_level, tile_column, tile_row)"


def make(folder, count, mean):
    """The whole and four parts by columns."""
    whole = os.path.join(folder, "whole-%d-%d.mbtiles" % (count, mean))
    parts = [os.path.join(folder, "part%d-%d-%d.mbtiles" % (n, count, mean)) for n in range(4)]
    if os.path.exists(whole):
        return whole, parts
    rng = random.Random(count)
    noise = rng.randbytes(64 << 20)
    sea = b"RIFF\0\0\0\0WEBP" + noise[: min(200, mean)]
    dbs = [sqlite3.connect(path) for path in [whole] + parts]
    for db in dbs:
        schema(db)
    side = int(count ** 0.5)
    zoom = max(1, (side - 1).bit_length())
    width = -(-count // side)
    rows = [[] for _ in dbs]
    for n in range(count):
        x, y = divmod(n, side)
        if rng.random() < 0.2:
            data = sea
        else:
            size = max(30, int(rng.lognormvariate(0, 0.8) * mean / 1.38))
            at = rng.randrange(len(noise) - size)
            data = b"RIFF\0\0\0\0WEBP" + noise[at : at + size]
        row = (zoom, x, y, data)
        rows[0].append(row)
        rows[1 + min(3, 4 * x // width)].append(row)
        if len(rows[0]) == 5000 or n == count - 1:
            for db, batch in zip(dbs, rows):
                db.executemany("INSERT INTO tiles VALUES (?, ?, ?, ?)", batch)
                batch.clear()
    for db in dbs:
        db.execute(INDEX)
        db.commit()
        db.close()
    return whole, parts


def run(command, output):
    """Wall seconds with a sync of the output, CPU seconds, and MB at the peak."""
    if os.path.isdir(output):
        shutil.rmtree(output)
    elif os.path.exists(output):
        os.remove(output)
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit("%s: %s" % (" ".join(command), said.decode()))
    subprocess.run(["sync", output], check=True)
    return time.perf_counter() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


ATTACH = """
import sqlite3, sys
out = sqlite3.connect(sys.argv[1], isolation_level=None)
out.executescript("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; CREATE TABLE metadata (name TEXT, value TEXT);"
    "CREATE TABLE tiles (zoom_level INTEGER, tile_column INTEGER, tile_row INTEGER, tile_data BLOB);")
for n, path in enumerate(sys.argv[2:]):
    out.execute("ATTACH ? AS a", (path,))
    if n == 0:
        out.execute("INSERT INTO metadata SELECT * FROM a.metadata")
    out.execute("INSERT INTO tiles SELECT * FROM a.tiles")
    out.execute("DETACH a")
out.execute("CREATE UNIQUE INDEX tile_index ON tiles (zoom_level, tile_column, tile_row)")
"""


def measure(title, jobs, rounds):
    best = {}
    for _ in range(rounds):
        for name, (command, output) in jobs.items():
            found = run(command, output)
            best[name] = min(best.get(name, found), found)
    print("\n%s\n%-28s %8s %8s %9s %8s" % (title, "", "wall s", "CPU s", "peak MB", "MB out"))
    for name, (wall, cpu, peak) in best.items():
        size = os.path.getsize(jobs[name][1]) / 1e6
        print("%-28s %8.2f %8.2f %9.0f %8.0f" % (name, wall, cpu, peak, size))
    ours = best["hypso"][0]
    print("ratios to hypso: " + ", ".join("%s %.2f" % (n, b[0] / ours) for n, b in best.items() if n != "hypso"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", default="/tmp/hypso-bench")
    parser.add_argument("--tiles", type=int, default=200_000)
    parser.add_argument("--bytes", type=int, default=6000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only-merge", action="store_true")
    parser.add_argument("--only-hypso", action="store_true")
    parser.add_argument("--skip-slow", action="store_true", help="leave PyPI pmtiles and versatiles out")
    args = parser.parse_args()
    os.makedirs(args.folder, exist_ok=True)
    # In a process of its own: a child's peak begins with the memory of the process that started it.
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        whole, parts = pool.apply(make, (args.folder, args.tiles, args.bytes))
    out = lambda name: os.path.join(args.folder, "out-" + name)
    print("%d tiles, %.0f MB, load %.2f" % (args.tiles, os.path.getsize(whole) / 1e6, os.getloadavg()[0]))

    jobs = {
        "hypso": ([HYPSO, "convert", whole, "-o", out("h.pmtiles")], out("h.pmtiles")),
        "cp": (["cp", whole, out("cp.mbtiles")], out("cp.mbtiles")),
    }
    peer = os.path.join(os.path.dirname(sys.executable), "pmtiles-convert")
    if os.path.exists(peer) and not args.only_hypso and not args.skip_slow:
        jobs["PyPI pmtiles"] = ([peer, whole, out("p.pmtiles")], out("p.pmtiles"))
    if shutil.which("versatiles") and not (args.only_hypso or args.skip_slow):
        jobs["versatiles convert"] = (["versatiles", "convert", whole, out("v.pmtiles")], out("v.pmtiles"))
    if not args.only_merge:
        measure("MBTiles -> PMTiles", jobs, args.rounds)

    jobs = {
        "hypso": ([HYPSO, "merge", *parts, "-o", out("h.mbtiles")], out("h.mbtiles")),
        "hypso, to PMTiles": ([HYPSO, "merge", *parts, "-o", out("m.pmtiles")], out("m.pmtiles")),
    }
    if shutil.which("versatiles") and not (args.only_hypso or args.skip_slow):
        pipeline = out("merge.vpl")
        with open(pipeline, "w") as file:
            file.write("from_stacked [%s]" % ", ".join('from_container filename="%s"' % os.path.abspath(part) for part in parts))
        jobs["versatiles from_stacked"] = (["versatiles", "convert", pipeline, out("v.mbtiles")], out("v.mbtiles"))
    if shutil.which("mbtiles") and not args.only_hypso:
        # The first part makes the file, the others are added; without and with its hash over all tiles.
        for name, last in (("mbtiles copy", " --skip-agg-tiles-hash"), ("mbtiles copy, with hash", "")):
            target = out("m%d.mbtiles" % len(last))
            steps = ["mbtiles copy --skip-agg-tiles-hash '%s' '%s'" % (parts[0], target)]
            rest = "mbtiles copy --on-duplicate abort%s '%s' '%s'"
            steps += [rest % (" --skip-agg-tiles-hash", part, target) for part in parts[1:3]] + [rest % (last, parts[3], target)]
            jobs[name] = (["sh", "-ec", "\n".join(steps)], target)
    if not args.only_hypso:
        jobs["SQL ATTACH"] = ([sys.executable, "-c", ATTACH, out("s.mbtiles"), *parts], out("s.mbtiles"))
    measure("four MBTiles into one", jobs, args.rounds)


if __name__ == "__main__":
    main()
