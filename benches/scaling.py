#!/usr/bin/env python3
"""How a run scales with cores: by simulation of its schedule, checked by measurement on as many cores as there are.

    cargo build --release
    python3 benches/scaling.py [FOLDER]

The plan is a real one (`hypso plan --export`), of a made-up country: 40,000 sheets of 1 m, all links to one raster, placed by a bounds.csv. A unit takes its tiles times the time of a tile, times a random factor
(log-normal, sigma 0.3). Ready units are begun as the program does: coarser ones first, then in their order. A unit is ready when the
units that it is made from are there. What is serial is measured here: the start until the first unit, and what the coordinator does for a unit. Then
`hypso assemble` of two plans of the sample: the processor time of its first thread, which does what can't be shared, and of the others. The first
thread's time is taken to grow with the number of packs, and for another column with the number of tiles, which is more than it does; the
others' with the bytes. Memory bandwidth and disks are not simulated: each core is as fast as one alone.
"""

import glob
import heapq
import json
import os
import random
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
HYPSO = os.path.join(HERE, "..", "target", "release", "hypso")


def hypso(*arguments):
    return subprocess.run([HYPSO, *arguments], check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def timed(*arguments):
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.time()
    said = hypso(*arguments).stderr
    wall, after = time.time() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, said


def units_of(plan):
    """Units as (zooms from, block z, x, y, tiles), finest step first; and for each the number of the one that is made from it."""
    with open(plan) as file:
        units = json.load(file)["units"]
    read = []
    for unit in units:
        low, high, z, x, y = map(int, re.fullmatch(r"z(\d+)-?(\d*)_(\d+)_(\d+)_(\d+)", unit["id"]).group(1, 1, 3, 4, 5))
        read.append((low, z, x, y, unit["tiles"]))
    by_step = {}
    for number, (low, z, x, y, _) in enumerate(read):
        by_step.setdefault(low, (z, {}))[1][x, y] = number
    steps = sorted(by_step, reverse=True)
    parents = []
    for low, z, x, y, _ in read:
        later = [s for s in steps if s < low]
        if not later:
            parents.append(None)
            continue
        block, places = by_step[later[0]]
        parents.append(places.get((x >> (z - block), y >> (z - block))) if z >= block else None)
    return read, parents


def simulate(units, parents, cores, tile, unit_cost, seed=1):
    """Wall seconds of the units, and the seconds in which fewer than all cores were busy."""
    chance = random.Random(seed)
    waiting = [0] * len(units)
    for parent in parents:
        if parent is not None:
            waiting[parent] += 1
    ready = [(units[n][0], n) for n in range(len(units)) if waiting[n] == 0]
    heapq.heapify(ready)
    running, now, free, idle = [], 0.0, cores, 0.0
    coordinator = 0.0
    while ready or running:
        while free and ready:
            _, number = heapq.heappop(ready)
            # Units are handed out one after another.
            coordinator = max(coordinator, now) + unit_cost
            took = units[number][4] * tile * chance.lognormvariate(0, 0.3)
            heapq.heappush(running, (coordinator + took, number))
            free -= 1
        end, number = heapq.heappop(running)
        if free:
            idle += end - now
        now = end
        free += 1
        parent = parents[number]
        if parent is not None:
            waiting[parent] -= 1
            if waiting[parent] == 0:
                heapq.heappush(ready, (units[parent][0], parent))
    return now, idle


def assembled(folder, store, max_zoom):
    """Seconds of processor of the thread that gives places, and of the others; packs, tiles and bytes. The least of three."""
    found = []
    for turn in range(4):
        name = os.path.join(folder, f"a{max_zoom}.pmtiles")
        plan, kept, work = name + ".plan", name + ".kept", name + ".work"
        if turn == 0:
            for place in (plan, kept, work):
                shutil.rmtree(place, ignore_errors=True)
            hypso("plan", store, "-o", name, "--coverage", "full", "--max-zoom", str(max_zoom), "--shards", "4", "--export", plan)
            with open(os.path.join(plan, "shards.jsonl")) as shards:
                for number in range(len(list(shards))):
                    hypso("work", "--plan", plan, "--shard", str(number))
            os.rename(work, kept)
        shutil.copytree(kept, work)
        os.sync()
        process = subprocess.Popen([HYPSO, "assemble", "--plan", plan, "--overwrite"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        seconds = {}
        while process.poll() is None:
            try:
                for thread in os.listdir(f"/proc/{process.pid}/task"):
                    with open(f"/proc/{process.pid}/task/{thread}/schedstat") as stat:
                        seconds[int(thread)] = int(stat.read().split()[0]) / 1e9
            except OSError:
                pass
            time.sleep(0.002)
        assert process.returncode == 0
        first = seconds.pop(process.pid)
        found.append((first, sum(seconds.values())))
    packs = glob.glob(os.path.join(kept, "**", "*.pack"), recursive=True)
    with open(os.path.join(plan, "shards.jsonl")) as shards:
        tiles = sum(json.loads(line)["tiles"] for line in shards)
    return min(f for f, _ in found), min(o for _, o in found), len(packs), tiles, os.path.getsize(name)


def country(folder, raster):
    """40,000 sheets of 1 km with cells of 1 m, 200 across and 200 down."""
    os.makedirs(folder)
    lines = ["filename,left,bottom,right,top,width,height"]
    for n in range(40_000):
        west, south = 15_000_000 + n % 200 * 1000, 4_000_000 + n // 200 * 1000
        os.link(raster, os.path.join(folder, f"{n}.tif"))
        lines.append(f"{n}.tif,{west},{south},{west + 1000},{south + 1000},1000,1000")
    with open(os.path.join(folder, "bounds.csv"), "w") as out:
        out.write("\n".join(lines) + "\n")


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp()
    at = lambda name: os.path.join(folder, name)
    if not os.path.exists(at("small.hypso")):
        hypso("sample", "-o", at("sample"))
        hypso("build", "-o", at("small.hypso"), "--config", at("sample/hypso.toml"))

    job = [at("small.hypso"), "-o", at("m.pmtiles"), "--coverage", "full", "--max-zoom", "15"]
    cores = [n for n in (1, 2, 4, 8, 16, 32, 64) if n <= os.cpu_count()]
    measured = {}
    for jobs in cores:
        found = []
        for _ in range(3):
            wall, cpu, _ = timed("aggregate", *job, "--overwrite", "--jobs", str(jobs))
            with open(at("m.report.json")) as file:
                found.append((wall, cpu, json.load(file)))
        measured[jobs] = min(found, key=lambda run: run[0])
    wall, cpu, report = measured[1]
    tiles, size, archives = report["tiles"]["made"], os.path.getsize(at("m.pmtiles")), report["seconds"]["archives"]
    tile = sum(report["worker_seconds"].values()) / tiles
    hypso("plan", *job, "--export", at("m.plan.json"))
    units, parents = units_of(at("m.plan.json"))
    # What is neither worker nor archive: the start, the plan, and what the coordinator does for each unit, which is not told apart.
    around = max(wall - tile * tiles - archives, 0.0)
    print(f"measured here: {tiles} tiles of {size / tiles / 1000:.1f} kB, {tile * 1000:.2f} ms of a worker each; archives {size / archives / 1e6:.0f} MB/s; "
          f"start, plan and {len(units)} units around that: {around:.2f} s")
    print("| cores | simulated s | measured s |\n|---|---|---|")
    for jobs in cores:
        ends, _ = simulate(units, parents, jobs, tile, 0.0)
        print(f"| {jobs} | {ends + around + archives:.2f} | {measured[jobs][0]:.2f} |")

    many = at("country.hypso")
    if not os.path.exists(many):
        country(at("country"), glob.glob(at("sample/lidar2/*.tif"))[0])
        hypso("build", at("country/bounds.csv"), "-o", many)
    hypso("plan", many, "-o", at("c.pmtiles"), "--coverage", "full", "--max-zoom", "16", "--export", at("c.plan.json"))
    units, parents = units_of(at("c.plan.json"))
    all_tiles = sum(unit[4] for unit in units)
    each = around / max(len(units_of(at("m.plan.json"))[0]), 1)
    small, large = assembled(folder, at("small.hypso"), 14), assembled(folder, at("small.hypso"), 16)
    grown = [b - a for a, b in zip(small, large)]
    by_pack, by_tile, by_byte = grown[0] / grown[2], grown[0] / grown[3], grown[1] / grown[4]
    print(f"\nassembling {large[2]} packs, {large[3]} tiles, {large[4] / 1e6:.0f} MB: the thread that gives places {large[0] * 1e3:.0f} ms, the others {large[1] * 1e3:.0f} ms; "
          f"{small[2]} packs, {small[3]} tiles, {small[4] / 1e6:.0f} MB: {small[0] * 1e3:.0f} and {small[1] * 1e3:.0f} ms")
    size_of_all = all_tiles * size / tiles
    print(f"a country: {all_tiles} tiles in {len(units)} units; an archive of {size_of_all / 1e9:.1f} GB")
    print("| cores | units s | speed-up | cores busy | archive, shared s | one thread s, by packs (by tiles) | its share |\n|---|---|---|---|---|---|---|")
    one = None
    serial, most = by_pack * len(units), by_tile * all_tiles
    for count in (1, 2, 4, 8, 16, 32, 64, 128):
        ends, _ = simulate(units, parents, count, tile, min(each, 0.001))
        one = one or ends
        shared = by_byte * size_of_all / count
        share = lambda alone: alone / (ends + max(shared, alone))
        print(f"| {count} | {ends:.0f} | {one / ends:.1f} | {one / ends / count:.1%} | {shared:.1f} | {serial:.1f} ({most:.1f}) | {share(serial):.1%} ({share(most):.1%}) |")


if __name__ == "__main__":
    main()
