#!/usr/bin/env python3
"""Plans and workers over stores of a thousand, a million and ten million records, and how their memory grows.

    cargo build --release && cargo build --release --example many_over_few
    python3 benches/scale.py [FOLDER]         # keeps the stores there; ten million records take 2 GB

Every store holds the records of the sample, and others elsewhere that point to the same rasters. Made are the tiles of the
sample, so that the work is the same; anonymous memory (which no process shares) is read from /proc while they work.
"""

import glob
import os
import resource
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
RELEASE = os.path.join(HERE, "..", "target", "release")
HYPSO = os.path.join(RELEASE, "hypso")
BOX = ["138.96", "34.16", "139.04", "34.24"]


def anonymous(process):
    """Bytes of a process that lie in no file; 0 where it is gone."""
    try:
        with open(f"/proc/{process}/smaps_rollup") as file:
            return sum(int(line.split()[1]) * 1024 for line in file if line.startswith("Pss_Anon:"))
    except (OSError, ValueError):
        return 0


def children(process):
    out = []
    for path in glob.glob(f"/proc/{process}/task/*/children"):
        try:
            with open(path) as file:
                out += file.read().split()
        except OSError:
            pass
    return out


def run(folder, count):
    store = os.path.join(folder, f"many-{count}.hypso")
    if not os.path.exists(store):
        subprocess.run([os.path.join(RELEASE, "examples", "many_over_few"), os.path.join(folder, "small.hypso"), store, str(count)], check=True)
    started = time.time()
    subprocess.run([HYPSO, "plan", store, "--print", "json"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    plan = time.time() - started
    out = os.path.join(folder, "out.pmtiles")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.time()
    process = subprocess.Popen([HYPSO, "aggregate", store, "-o", out, "--overwrite", "--jobs", "2", "--bbox", *BOX, "--min-zoom", "8",
                                "--progress", "none"], stderr=subprocess.PIPE, text=True)
    worker = coordinator = 0
    while process.poll() is None:
        coordinator = max(coordinator, anonymous(process.pid))
        worker = max([worker] + [anonymous(child) for child in children(process.pid)])
        time.sleep(0.02)
    took = time.time() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    said = process.stderr.read()
    if process.returncode != 0:
        sys.exit(said)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    tiles = next(line.split()[1] for line in said.splitlines() if line.strip().startswith("tiles"))
    print(f"| {count:>10,} | {os.path.getsize(store) / 1e6:8.1f} MB | {plan:6.2f} s | {tiles:>4} | {took:6.2f} s | {cpu:6.2f} s "
          f"| {coordinator / 1e6:6.1f} MB | {worker / 1e6:6.1f} MB |", flush=True)


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp(prefix="hypso-scale-")
    os.makedirs(folder, exist_ok=True)
    if not os.path.exists(os.path.join(folder, "small.hypso")):
        subprocess.run([HYPSO, "sample", "-o", os.path.join(folder, "sample")], check=True, stderr=subprocess.DEVNULL)
        subprocess.run([HYPSO, "build", "-o", os.path.join(folder, "small.hypso"), "--config", os.path.join(folder, "sample", "hypso.toml")],
                       check=True, stderr=subprocess.DEVNULL)
    print("| records | store | plan of all | tiles made | wall | CPU | coordinator, anonymous | a worker, anonymous |")
    print("|---|---|---|---|---|---|---|---|")
    for count in (1_000, 1_000_000, 10_000_000):
        run(folder, count)


main()
