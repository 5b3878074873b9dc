#!/usr/bin/env python3
"""How alike the shards of a plan are, by processor time, and what a task costs before its first tile, however large the plan is.

    cargo build --release && cargo build --release --example many_over_few
    python3 benches/shards.py [FUJI] [FOLDER]     # FUJI holds gsi-dem5a, gsi-dem5a-z13, aster30m, mapbox76m, srtm30
"""

import fcntl
import json
import os
import resource
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
RELEASE = os.path.join(HERE, "..", "target", "release")
HYPSO = os.path.join(RELEASE, "hypso")


def hypso(*arguments):
    return subprocess.run([HYPSO, *arguments], check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout


def cpu():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def cut(folder, store, shards, *tiles):
    plan = tempfile.mkdtemp(dir=folder)
    started = time.time()
    hypso("plan", store, "-o", os.path.join(plan, "x.pmtiles"), "--shards", str(shards), "--export", plan, *tiles)
    with open(os.path.join(plan, "shards.jsonl")) as lines:
        return plan, [json.loads(line) for line in lines], time.time() - started


def balance(folder, name, store, shards, *tiles):
    plan, lines, took = cut(folder, store, shards, *tiles)
    seconds = []
    for line in lines:
        before = cpu()
        hypso("work", "--plan", plan, "--shard", str(line["number"]), "--jobs", "1")
        seconds.append(cpu() - before)
    *parts, top = seconds
    mean = sum(parts) / len(parts)
    print(f"{name}, {shards} shards: {min(parts):.2f} to {max(parts):.2f} s of a core, mean {mean:.2f}: largest {max(parts) / mean:.2f}, "
          f"smallest {min(parts) / mean:.2f} of it; the top {top:.2f} s; planned in {took:.1f} s", flush=True)


MEASURE = '''
import json, os, subprocess, sys
costs = []
for _ in range(9):
    child = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    assert os.waitstatus_to_exitcode(status) == 75, status
    costs.append(((used.ru_utime + used.ru_stime) * 1e3, used.ru_maxrss / 1e3))
print(json.dumps(costs))
'''


def start(folder, store, shards, *tiles):
    """What a task costs until it finds that its shard is being made by another one: milliseconds of a core and memory in MB."""
    plan, lines, took = cut(folder, store, shards, *tiles)
    number = len(lines) // 2
    with open(os.path.join(plan, f"shard-{number}.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # From a small process: what a process had before it became another one counts as its memory.
        said = subprocess.run([sys.executable, "-c", MEASURE, HYPSO, "work", "--plan", plan, "--shard", str(number)], check=True, capture_output=True)
        costs = json.loads(said.stdout)
    middle = [sorted(cost[n] for cost in costs)[len(costs) // 2] for n in (0, 1)]
    units = sum(line["units"] for line in lines)
    print(f"a plan of {units:,} units in {len(lines)} shards (planned in {took:.0f} s): a task begins after {middle[0]:.0f} ms of a core, with "
          f"{middle[1]:.1f} MB", flush=True)


def main():
    fuji = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else os.path.join(HERE, "..", "..", "shared", "dem", "fuji"))
    folder = sys.argv[2] if len(sys.argv) > 2 else tempfile.mkdtemp(prefix="hypso-shards-")
    at = lambda name: os.path.join(folder, name)  # noqa: E731
    if not os.path.exists(at("small.hypso")):
        hypso("sample", "-o", at("sample"))
        hypso("build", "-o", at("small.hypso"), "--config", os.path.join(at("sample"), "hypso.toml"))
    hypso("build", "--overwrite", "-o", at("fuji.hypso"), *(os.path.join(fuji, s) for s in ("gsi-dem5a", "gsi-dem5a-z13", "aster30m", "mapbox76m", "srtm30")))
    for shards in (4, 8):
        balance(folder, "sample, zooms 0-15", at("small.hypso"), shards, "--coverage", "full", "--max-zoom", "15")
        balance(folder, "fuji, zooms 0-14", at("fuji.hypso"), shards, "--coverage", "full", "--max-zoom", "14", "--bbox", "138.50,35.17,139.22,35.54")
    if not os.path.exists(at("glo30.hypso")):
        subprocess.run([os.path.join(RELEASE, "examples", "many_over_few"), at("small.hypso"), at("glo30.hypso"), "glo30"], check=True, stdout=subprocess.DEVNULL)
    start(folder, at("glo30.hypso"), 1, "--coverage", "full", "--min-zoom", "8", "--max-zoom", "12", "--bbox", "8,45,11,48")
    start(folder, at("glo30.hypso"), 1000, "--coverage", "full", "--max-zoom", "14")


main()
