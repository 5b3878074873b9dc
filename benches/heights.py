#!/usr/bin/env python3
"""What a file of heights costs from outside: beside rasterio, in several processes, cold, and through a pipe.

    target/venv/bin/python benches/heights.py FILE.heights RASTER [--hypso target/release/hypso] [--points 10000000]

RASTER is a GeoTIFF inside the file's tiles; places are random over it. It needs NumPy and rasterio.
"""

import argparse
import os
import random
import resource
import subprocess
import tempfile
import time

import rasterio
import rasterio.warp


def places(raster, count):
    """Random longitudes and latitudes over a raster, and the same in its CRS."""
    chance = random.Random(3)
    west, south, east, north = rasterio.warp.transform_bounds(raster.crs, "EPSG:4326", *raster.bounds)
    lons = [chance.uniform(west, east) for _ in range(count)]
    lats = [chance.uniform(south, north) for _ in range(count)]
    return list(zip(lons, lats)), list(zip(*rasterio.warp.transform("EPSG:4326", raster.crs, lons, lats)))


def sampled(raster, points):
    """Microseconds for a point by rasterio, nearest."""
    begin = time.perf_counter()
    for _ in raster.sample(points):
        pass
    return (time.perf_counter() - begin) / len(points) * 1e6


def forget(path):
    """Asks the system to drop a file's pages."""
    with open(path, "rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def first_point(hypso, path, point, cold):
    """Milliseconds from the program's start to its end, for one point."""
    times = []
    for _ in range(9):
        if cold:
            forget(path)
        begin = time.perf_counter()
        subprocess.run([hypso, "height", path, "%.7f,%.7f" % point], check=True, stdout=subprocess.DEVNULL)
        times.append((time.perf_counter() - begin) * 1e3)
    return sorted(times)[len(times) // 2]


def held(processes):
    """Proportional memory of processes, MB."""
    total = 0
    for process in processes:
        with open(f"/proc/{process.pid}/smaps_rollup") as rollup:
            total += sum(int(line.split()[1]) for line in rollup if line.startswith("Pss:"))
    return total / 1024


def processes(hypso, path, points, count):
    """The memory of so many processes that were asked for all points and wait for more."""
    text = "".join("%.7f,%.7f\n" % point for point in points).encode()
    running = [subprocess.Popen([hypso, "height", path, "--from", "-"], stdin=subprocess.PIPE,
                                stdout=subprocess.DEVNULL) for _ in range(count)]
    for process in running:
        process.stdin.write(text)
        process.stdin.flush()
    time.sleep(3)
    found = held(running)
    for process in running:
        process.stdin.close()
        process.wait()
    return found


def piped(command, path):
    """Seconds, and seconds of processor time, of a command that reads a file by a pipe."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begin = time.perf_counter()
    with open(path, "rb") as file:
        cat = subprocess.Popen(["cat"], stdin=file, stdout=subprocess.PIPE)
        subprocess.run(command, stdin=cat.stdout, stdout=subprocess.DEVNULL, check=True)
        cat.wait()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - begin, used


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("heights")
    parser.add_argument("raster")
    parser.add_argument("--hypso", default="target/release/hypso")
    parser.add_argument("--points", type=int, default=10_000_000)
    given = parser.parse_args()
    with rasterio.open(given.raster) as raster:
        degrees, own = places(raster, 100_000)
        print(f"rasterio, sample of an open raster, nearest: {sampled(raster, own[:20_000]):.1f} us a point")
    for cold in (False, True):
        took = first_point(given.hypso, given.heights, degrees[0], cold)
        print(f"the program for one point, {'cold' if cold else 'warm'}: {took:.1f} ms")
    one, four = (processes(given.hypso, given.heights, degrees, count) for count in (1, 4))
    print(f"memory: one process {one:.1f} MB, four {four:.1f} MB, of a file of "
          f"{os.path.getsize(given.heights) / 1e6:.1f} MB")
    if given.points == 0:
        return
    with tempfile.NamedTemporaryFile("w", suffix=".csv") as file:
        lines = ["%.7f,%.7f\n" % point for point in degrees]
        for _ in range(given.points // len(lines)):
            file.writelines(lines)
        file.flush()
        count = given.points // len(lines) * len(lines)
        for command in (["wc", "-l"], [given.hypso, "height", given.heights, "--from", "-"]):
            took, used = piped(command, file.name)
            print(f"{count} points by a pipe, {command[0]}: {took:.2f} s, {used:.2f} s of processors, "
                  f"{count / took / 1e6:.2f} M points/s")


if __name__ == "__main__":
    main()
