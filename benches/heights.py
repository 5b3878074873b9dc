#!/usr/bin/env python3
"""What a file of heights costs from outside: beside rasterio and an archive of the same, in several processes, cold, by a pipe.

    target/venv/bin/python benches/heights.py FILE.heights RASTER [--archive FILE.pmtiles] [--hypso PROGRAM] [--points N]

RASTER is a GeoTIFF inside the file's tiles; places are random over it. It needs rasterio, pmtiles and Pillow.
"""

import argparse
import io
import os
import random
import resource
import subprocess
import tempfile
import time

import PIL.Image
import pmtiles.reader
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
    """Microseconds of processor time for a point by rasterio, nearest."""
    begin = time.process_time()
    for _ in raster.sample(points):
        pass
    return (time.process_time() - begin) / len(points) * 1e6


def used(run):
    """Seconds of processor time of the programs that something runs."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def asked(hypso, path, points):
    """Microseconds of processor time for a point by the program: what the last nine tenths of the points take."""
    def ask(points):
        text = "".join("%.7f,%.7f\n" % point for point in points).encode()
        subprocess.run([hypso, "height", path, "--from", "-"], input=text, check=True, capture_output=True)
    few = len(points) // 10
    return (used(lambda: ask(points)) - used(lambda: ask(points[:few]))) / (len(points) - few) * 1e6


def beside_archive(hypso, heights, archive, points):
    """The archive's tiles in a cache, and a conversion beside decoding by libwebp alone."""
    for path in (heights, archive):
        print(f"the program, {os.path.basename(path)}: {asked(hypso, path, points):.2f} us of processors a point")
    with tempfile.TemporaryDirectory() as folder:
        command = [hypso, "convert", archive, "-o", os.path.join(folder, "a.heights")]
        convert = used(lambda: subprocess.run(command, check=True, capture_output=True))
    with open(archive, "rb") as file:
        tiles = [tile for _, tile in pmtiles.reader.all_tiles(pmtiles.reader.MmapSource(file))]
    begin = time.process_time()
    for tile in tiles:
        PIL.Image.open(io.BytesIO(tile)).load()
    print(f"convert {convert:.2f} s of processors, libwebp alone {time.process_time() - begin:.2f} s")


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
    """Proportional memory of processes, MB, and how much of it belongs to no file."""
    total = {"Pss:": 0, "Pss_Anon:": 0}
    for process in processes:
        with open(f"/proc/{process.pid}/smaps_rollup") as rollup:
            for name, size, *_ in (line.split() for line in rollup):
                if name in total:
                    total[name] += int(size) / 1024
    return total["Pss:"], total["Pss_Anon:"]


def processes(hypso, path, points, count):
    """The memory of so many processes that were asked for all points and wait for more."""
    text = "".join("%.7f,%.7f\n" % point for point in points).encode()
    running = [subprocess.Popen([hypso, "height", path, "--from", "-"], stdin=subprocess.PIPE,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in range(count)]
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
    def run():
        with open(path, "rb") as file:
            cat = subprocess.Popen(["cat"], stdin=file, stdout=subprocess.PIPE)
            subprocess.run(command, stdin=cat.stdout, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
            cat.wait()
    begin = time.perf_counter()
    spent = used(run)
    return time.perf_counter() - begin, spent


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("heights")
    parser.add_argument("raster")
    parser.add_argument("--archive")
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
    print(f"memory: one process {one[0]:.1f} MB ({one[1]:.1f} of its own), four {four[0]:.1f} MB ({four[1]:.1f}), "
          f"of a file of {os.path.getsize(given.heights) / 1e6:.1f} MB")
    if given.archive:
        beside_archive(given.hypso, given.heights, given.archive, degrees[:30_000])
    if given.points == 0:
        return
    with tempfile.NamedTemporaryFile("w", suffix=".csv") as file:
        lines = ["%.7f,%.7f\n" % point for point in degrees]
        for _ in range(given.points // len(lines)):
            file.writelines(lines)
        file.flush()
        count = given.points // len(lines) * len(lines)
        for command in (["wc", "-l"], [given.hypso, "height", given.heights, "--from", "-"]):
            took, spent = piped(command, file.name)
            print(f"{count} points by a pipe, {command[0]}: {took:.2f} s, {spent:.2f} s of processors, "
                  f"{count / took / 1e6:.2f} M points/s, {count / spent / 1e6:.2f} M a second of a processor")


if __name__ == "__main__":
    main()
