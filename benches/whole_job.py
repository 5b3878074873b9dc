#!/usr/bin/env python3
"""The whole job beside other programs, in one run: rasters of several sources become one terrain tileset.

    cargo build --release
    python3 -m venv peers && peers/bin/pip install rasterio mercantile imagecodecs pmtiles pillow psutil rio-rgbify
    git clone https://github.com/hfu/fusi
    python3 benches/whole_job.py --peers peers --fusi fusi [--fuji FOLDER] [--national [--skip-fuji]] [--rounds N]

Two sets: fuji (FOLDER holds gsi-dem5a, gsi-dem5a-z13, srtm30), zooms 5 to 13 of a box; and with --national a made-up one of 2,000 files in three
sources. All make every tile of 512 pixels that the box touches, coarse areas upsampled, with two processes where they can. fusi
takes several sources by itself; for the others gdalwarp makes one raster first, which is part of their time. What is missing here is left out
and named. Wall and CPU seconds include all child processes; memory is the largest process.
"""

import argparse
import glob
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time

from fuji import BOX, ENCODE, HYPSO, mercator

FUJI = ["gsi-dem5a", "gsi-dem5a-z13", "srtm30"]


def run(commands, cwd, **more):
    """Runs commands one after another in a process of its own, so that the largest process is one of them."""
    started = time.time()
    child = os.fork()
    if child == 0:
        for command in commands:
            done = subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **more)
            if done.returncode != 0:
                print(f"{' '.join(map(str, command))[:200]} failed:\n{done.stdout[-2000:]}", file=sys.stderr)
                os._exit(1)
        os._exit(0)
    _, status, usage = os.wait4(child, 0)
    # The child of ours counts those that it waited for.
    return (time.time() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024) if status == 0 else None


def tiles_of(path):
    if os.path.isdir(path):
        return len(glob.glob(os.path.join(path, "*", "*", "*.png")))
    if path.endswith(".mbtiles"):
        return sqlite3.connect(path).execute("SELECT count(*) FROM tiles").fetchone()[0]
    said = subprocess.run([HYPSO, "inspect", path, "--format", "json"], capture_output=True, text=True, check=True).stdout
    import json
    found = json.loads(said)
    return found.get("addressed_tiles") or found["tiles"]


def size_of(path):
    if os.path.isdir(path):
        return sum(os.path.getsize(f) for f in glob.glob(os.path.join(path, "*", "*", "*.png")))
    return os.path.getsize(path)


def national(folder, python):
    """2,000 files in three sources: 1,600 sheets of 5 m, 380 of 10 m and 20 of 30 m, over one another."""
    code = """
import os, sys
import numpy, rasterio
from rasterio.transform import from_origin
random = numpy.random.default_rng(1)
west, north = 138.0, 36.0
for name, across, down, side, cells in [("dem5", 40, 40, 0.0125, 225), ("dem10", 20, 19, 0.025, 225), ("dem30", 5, 4, 0.1, 360)]:
    os.makedirs(os.path.join(sys.argv[1], name))
    for row in range(down):
        for column in range(across):
            left, top, step = west + column * side, north - row * side, side / cells
            x = left + (numpy.arange(cells) + 0.5) * step
            y = top - (numpy.arange(cells) + 0.5) * step
            land = 800 + 500 * numpy.sin(x[None, :] * 41) * numpy.cos(y[:, None] * 37) + 60 * numpy.sin(x[None, :] * 611 + y[:, None] * 433)
            land = (land + random.normal(0, 0.3, (cells, cells))).astype("float32").round(1)
            if name != "dem30" and (row * 7 + column) % 11 == 0:
                land[: cells // 3] = -9999
            path = os.path.join(sys.argv[1], name, f"{row:03}_{column:03}.tif")
            with rasterio.open(path, "w", driver="GTiff", width=cells, height=cells, count=1, dtype="float32", crs="EPSG:6668", nodata=-9999,
                               transform=from_origin(left, top, step, step), compress="deflate") as out:
                out.write(land, 1)
"""
    subprocess.run([python, "-c", code, folder], check=True)
    return [os.path.join(folder, name) for name in ("dem5", "dem10", "dem30")], (138.0, 35.5, 138.5, 36.0)


def hypso(folders, box, zooms, out, *more):
    return [[HYPSO, "tiles", *folders, "-o", out, "--jobs", "2", "--coverage", "full", "--min-zoom", str(zooms[0]), "--max-zoom", str(zooms[1]),
             "--bbox", *map(str, box), "--overwrite", *more]]


def warped(folders, box, zooms, target):
    rasters = [r for f in reversed(folders) for r in sorted(glob.glob(os.path.join(f, "*.tif")))]
    with open("rasters.txt", "w") as out:
        out.write("\n".join(rasters))
    (west, south), (east, north) = mercator(box[0], box[1]), mercator(box[2], box[3])
    size = 40075016.68557849 / 512 / 2 ** zooms[1]
    return ["gdalwarp", "-q", "-overwrite", "-multi", "-wo", "NUM_THREADS=2", "-wm", "512", "-t_srs", "EPSG:3857", "-r", "bilinear", "-ot", "Float32",
            "-dstnodata", "-9999", "-tr", str(size), str(size), "-te", str(west), str(south), str(east), str(north), "-tap",
            "-co", "TILED=YES", "--optfile", "rasters.txt", target]


def fusi(checkout, python, folders, box, zooms, out, more=()):
    """Its sources are folders of source-store/ with a bounds.csv, which is made beforehand, as its README says."""
    store = os.path.join(os.getcwd(), "source-store")
    if not os.path.isdir(store):
        for folder in folders:
            name = os.path.basename(folder)
            os.makedirs(os.path.join(store, name))
            for raster in glob.glob(os.path.join(folder, "*.tif")):
                os.symlink(raster, os.path.join(store, name, os.path.basename(raster)))
    bounds = [[python, os.path.join(checkout, "pipelines", "source_bounds.py"), os.path.basename(f)] for f in folders]
    main = [python, "-u", "-m", "pipelines.aggregate_pmtiles", "-o", out, "--min-zoom", str(zooms[0]), "--max-zoom", str(zooms[1]),
            "--bbox", *map(str, box), "--overwrite", "--silent", "--warp-threads", "2", *more, *map(os.path.basename, folders)]
    return [*bounds, main]


def job(name, folders, box, zooms, args, tmp):
    print(f"\n{name}: {sum(len(glob.glob(os.path.join(f, '*.tif'))) for f in folders)} files, zooms {zooms[0]} to {zooms[1]}, best of {args.rounds}")
    os.chdir(tmp)
    python = os.path.abspath(os.path.join(args.peers, "bin", "python")) if args.peers else None
    todo = [("hypso, WebP", lambda: hypso(folders, box, zooms, "h.pmtiles"), "h.pmtiles", {}),
            ("hypso, WebP, lineage", lambda: hypso(folders, box, zooms, "l.pmtiles", "--lineage"), "l.pmtiles", {}),
            ("hypso, libwebp", lambda: hypso(folders, box, zooms, "w.pmtiles", "--encoder", "libwebp"), "w.pmtiles", {}),
            ("hypso, PNG", lambda: hypso(folders, box, zooms, "p.pmtiles", "--format", "png"), "p.pmtiles", {})]
    if args.fusi and python:
        environment = dict(os.environ, PYTHONPATH=args.fusi)
        todo.append(("fusi, WebP", lambda: fusi(args.fusi, python, folders, box, zooms, "f.pmtiles"), "f.mbtiles", {"env": environment}))
    else:
        print("left out: fusi (give --fusi and --peers)")
    if shutil.which("gdal2tiles.py"):
        todo.append(("gdalwarp, numpy, gdal2tiles, PNG", lambda: [
            warped(folders, box, zooms, "all.tif"), ["/usr/bin/python3", "-c", ENCODE, "all.tif", "rgb.tif"],
            ["gdal2tiles.py", "-q", "--xyz", "--tilesize=512", "-z", f"{zooms[0]}-{zooms[1]}", "--processes=2", "-w", "none", "rgb.tif", "g"]], "g", {}))
    else:
        print("left out: gdal2tiles.py (install gdal-bin and python3-gdal)")
    rio = os.path.abspath(os.path.join(args.peers, "bin", "rio")) if args.peers else None
    if rio and os.path.exists(rio):
        todo.append(("gdalwarp, rio-rgbify, PNG", lambda: [
            warped(folders, box, zooms, "r.tif"),
            [rio, "rgbify", "-b", "-10000", "-i", "0.1", "--min-z", str(zooms[0]), "--max-z", str(zooms[1]), "-j", "2", "--format", "png", "r.tif",
             "r.mbtiles"]], "r.mbtiles", {}))
    else:
        print("left out: rio-rgbify (pip install rio-rgbify into --peers)")
    best, rows = {}, []
    for _ in range(args.rounds):
        for label, commands, out, more in todo:
            for old in glob.glob(out) + glob.glob(out.replace("mbtiles", "pmtiles")):
                shutil.rmtree(old) if os.path.isdir(old) else os.remove(old)
            found = run(commands(), tmp, **more)
            if found and os.path.exists(out):
                best[label] = min(best.get(label, (1e9, 1e9, 0, out)), (*found, out), key=lambda f: f[1])
    for label, (wall, cpu, memory, out) in best.items():
        tiles = tiles_of(out)
        rows.append((label, tiles, wall, cpu, 1000 * cpu / tiles, cpu / wall / 2, memory, size_of(out) / 1e6))
    print("| | tiles | wall s | CPU s | ms of CPU a tile | beside hypso | cores busy | MB, one process | archive, MB |\n|---|---|---|---|---|---|---|---|---|")
    for label, tiles, wall, cpu, each, busy, memory, size in rows:
        print(f"| {label} | {tiles} | {wall:.1f} | {cpu:.1f} | {each:.1f} | {each / rows[0][4]:.2f} | {busy:.0%} | {memory:.0f} | {size:.1f} |")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--fuji", default=os.path.join(os.path.dirname(__file__), "..", "..", "shared", "dem", "fuji"))
    parser.add_argument("--peers", type=os.path.abspath)
    parser.add_argument("--fusi", type=os.path.abspath)
    parser.add_argument("--national", action="store_true", help="the made-up set too")
    parser.add_argument("--skip-fuji", action="store_true")
    parser.add_argument("--rounds", type=int, default=1)
    args = parser.parse_args()
    data = os.path.abspath(args.fuji)
    with tempfile.TemporaryDirectory() as tmp:
        args.skip_fuji or job("fuji", [os.path.join(data, s) for s in FUJI], BOX, (5, 13), args, tmp)
    if args.national:
        with tempfile.TemporaryDirectory() as tmp:
            python = os.path.join(args.peers, "bin", "python") if args.peers else sys.executable
            folders, box = national(os.path.join(tmp, "dem"), python)
            job("national", folders, box, (5, 13), args, tmp)


if __name__ == "__main__":
    main()
