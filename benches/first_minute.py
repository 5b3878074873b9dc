#!/usr/bin/env python3
"""The first requests of `hypso serve` after its start, with nothing of its files in memory.

    cargo build --release
    python3 benches/first_minute.py [FOLDER]

A made-up world of 349,525 tiles of 3 kB (zooms 0 to 9, 1 GB) as PMTiles and as MBTiles, which SQLite reads. Each server is started anew after the
system was made to forget the files; then one client asks for random tiles, one after another over one connection, for ten seconds.
PMTiles are read into memory meanwhile, or not (`--no-preload`), or were in memory before the start. All in turns, three rounds; medians.
"""

import http.client
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "common"))
import world

HYPSO = os.path.join(HERE, "..", "target", "release", "hypso")
SECONDS, ROUNDS = 10, 3


def make(folder):
    mbtiles = os.path.join(folder, "world.mbtiles")
    world.make(mbtiles)
    subprocess.run([HYPSO, "convert", mbtiles, "-o", os.path.join(folder, "world.pmtiles")], check=True, stderr=subprocess.DEVNULL)


def forget(path):
    """Has the system drop what it has of a file."""
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(descriptor)


def remember(path):
    with open(path, "rb") as file:
        while file.read(1 << 24):
            pass


def ask(path, *options):
    """Milliseconds of the requests, in their order, and how many of them were made before each of the first seconds ended."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen([HYPSO, "serve", f"x={path}", "--listen", f"127.0.0.1:{port}", *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        started, chance = time.perf_counter(), random.Random(5)
        while True:
            client = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            try:
                client.connect()
                break
            except OSError:
                if time.perf_counter() - started > 30:
                    sys.exit("the server does not start")
                time.sleep(0.001)
        client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        took, by_second = [], []
        begun = time.perf_counter()
        while (now := time.perf_counter()) < begun + SECONDS:
            while now - begun > len(by_second) + 1:
                by_second.append(len(took))
            client.request("GET", f"/tiles/x/9/{chance.randrange(512)}/{chance.randrange(512)}.bin")
            answer = client.getresponse()
            body = answer.read()
            if answer.status != 200 or len(body) != 3000:
                sys.exit(f"{answer.status}, {len(body)} bytes: {body[:200]}")
            took.append((time.perf_counter() - now) * 1e3)
        return took, by_second
    finally:
        server.terminate()
        server.wait()


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp()
    if not os.path.exists(os.path.join(folder, "world.pmtiles")):
        make(folder)
    pmtiles, mbtiles = (os.path.join(folder, f"world.{kind}") for kind in ("pmtiles", "mbtiles"))
    ways = {
        "PMTiles": (pmtiles, forget, []),
        "PMTiles, not read before": (pmtiles, forget, ["--no-preload"]),
        "MBTiles (SQLite)": (mbtiles, forget, []),
        "PMTiles, in memory": (pmtiles, remember, []),
        "MBTiles, in memory": (mbtiles, remember, []),
    }
    found = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, (path, before, options) in ways.items():
            before(path)
            found[name].append(ask(path, *options))
    print("| | the first 1000, ms | requests in 1 s | in 2 s | in 5 s | median, ms | p99 of the first 1000 |\n|---|---|---|---|---|---|---|")
    for name, runs in found.items():
        mid = lambda of: statistics.median(of(took, seconds) for took, seconds in runs)
        first = mid(lambda took, _: sum(took[:1000]))
        after = [mid(lambda _, seconds, at=at: seconds[at - 1]) for at in (1, 2, 5)]
        late = mid(lambda took, _: sorted(took[:1000])[int(len(took[:1000]) * 0.99) - 1])
        print(f"| {name} | {first:.0f} | {after[0]:.0f} | {after[1]:.0f} | {after[2]:.0f} | {mid(lambda took, _: statistics.median(took)):.2f} | {late:.2f} |")


if __name__ == "__main__":
    main()
