#!/usr/bin/env python3
"""The whole world with 30 m to zoom 12, and a country of 500,000 sheets of 1 m to zoom 16, cut into shards: what they would take on a
cluster, and whether the last shard, the coarse top, holds all others up.

    cargo build --release && cargo build --release --example many_over_few
    python3 benches/planet.py [FOLDER]

The plans are real ones, of stores whose records point to a few small rasters. The time of a tile is measured here, before, on the sample with all
cores. Hours come from a simulation: an engine gives each free machine the next shard; shards take what they should times a random
factor (log-normal, sigma 0.2, as measured on shards of the sample); one in 50 is a straggler that takes three times as long; one in 50 dies
half-way and begins again, without what it had made. The top begins when all others are there.
"""

import heapq
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
RELEASE = os.path.join(HERE, "..", "target", "release")
HYPSO = os.path.join(RELEASE, "hypso")
# Cores of a machine, and what one core costs an hour, dollars: a middling price of rented machines.
MACHINE, PRICE = 4, 0.05


def hypso(*arguments, **options):
    return subprocess.run([HYPSO, *arguments], check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, **options).stdout


def measured_rate(folder):
    """Processor seconds and bytes of a tile, on the sample."""
    out = os.path.join(folder, "rate.pmtiles")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    hypso("aggregate", os.path.join(folder, "small.hypso"), "-o", out, "--overwrite", "--coverage", "full", "--max-zoom", "15")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    with open(os.path.join(folder, "rate.report.json")) as report:
        made = json.load(report)["tiles"]
    return cpu / made["made"], made["bytes"] / made["made"]


def simulate(seconds, top, machines, seed):
    """Wall seconds, and those of them in which only the top is made."""
    chance = random.Random(seed)
    free = [0.0] * machines
    for work in seconds:
        took = work * chance.lognormvariate(0, 0.2)
        if chance.random() < 0.02:
            took *= 3
        if chance.random() < 0.02:
            took *= 1.5
        heapq.heappush(free, heapq.heappop(free) + took)
    end = max(free)
    return end + top, end


def plan(folder, what, zoom, shards, rate):
    store = os.path.join(folder, f"{what}.hypso")
    if not os.path.exists(store):
        subprocess.run([os.path.join(RELEASE, "examples", "many_over_few"), os.path.join(folder, "small.hypso"), store, what], check=True)
    target = os.path.join(folder, f"{what}-plan")
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, time.time()
    hypso("plan", store, "-o", os.path.join(folder, f"{what}.pmtiles"), "--coverage", "full", "--max-zoom", str(zoom),
          "--shards", str(shards), "--export", target)
    took = time.time() - started
    with open(os.path.join(target, "shards.jsonl")) as lines:
        tiles, units, rasters = [], 0, 0
        for line in lines:
            shard = json.loads(line)
            tiles.append(shard["tiles"])
            units += shard["units"]
            rasters += len(shard["rasters"])
    size = sum(os.path.getsize(os.path.join(target, name)) for name in ("plan.json", "shards.jsonl"))
    *all_but, top = tiles
    seconds, each = rate
    assert top < sum(tiles) / 20
    print(f"\n{what}, zooms 0-{zoom}: {sum(tiles):,} tiles, {units:,} units in {len(all_but)} shards and the top ({top:,} tiles); planned in "
          f"{took:.0f} s, at most {max(before, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) / 1e3:.0f} MB, {size / 1e6:.0f} MB of plan")
    print(f"balance of tiles, largest to smallest shard: {max(all_but) / min(all_but):.3f}; rasters brought to machines: {rasters:,}; "
          f"packs: {sum(tiles) * each / 1e9:.0f} GB; {sum(tiles) * seconds / 3600:,.0f} hours of one core, ${sum(tiles) * seconds / 3600 * PRICE:,.0f}")
    print("| cores | hours | of them the top alone | cores busy |")
    print("|---|---|---|---|")
    for cores in (8, 64, 512):
        runs = [simulate([n * seconds / MACHINE for n in all_but], top * seconds / MACHINE, cores // MACHINE, seed) for seed in range(20)]
        wall = sum(run[0] for run in runs) / len(runs)
        alone = sum(1 - run[1] / run[0] for run in runs) / len(runs)
        print(f"| {cores} | {wall / 3600:.2f} | {alone:.1%} | {sum(tiles) * seconds / cores / wall:.0%} |", flush=True)


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp(prefix="hypso-planet-")
    os.makedirs(folder, exist_ok=True)
    if not os.path.exists(os.path.join(folder, "small.hypso")):
        hypso("sample", "-o", os.path.join(folder, "sample"))
        hypso("build", "-o", os.path.join(folder, "small.hypso"), "--config", os.path.join(folder, "sample", "hypso.toml"))
    rate = measured_rate(folder)
    print(f"a tile takes {rate[0] * 1e3:.1f} ms of a core and {rate[1] / 1e3:.1f} kB")
    plan(folder, "glo30", 12, 1000, rate)
    plan(folder, "sheets", 16, 1000, rate)


main()
