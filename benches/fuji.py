#!/usr/bin/env python3
"""The main job beside gdalwarp + gdal2tiles.py, on the same rasters, box and zooms, in one run.

    cargo build --release
    python3 benches/fuji.py [FOLDER]        # FOLDER holds gsi-dem5a, gsi-dem5a-z13, aster30m, mapbox76m, srtm30

Both make every 512 px tile of zooms 0-14 that the box touches, coarse areas upsampled (hypso: --coverage full). The peer
warps all rasters, coarse ones first, into one raster of zoom 14's resolution, encodes it as terrarium RGB with numpy, and
cuts PNG tiles with two processes. Its coarser tiles average the channels, which is wrong for terrarium; its cost is what
is measured here. Needs gdal-bin and python3-gdal. Wall and CPU seconds include all child processes.
"""

import glob
import os
import re
import resource
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
HYPSO = os.path.join(HERE, "..", "target", "release", "hypso")
BOX = (138.50, 35.17, 139.22, 35.54)
SOURCES = ["gsi-dem5a", "gsi-dem5a-z13", "aster30m", "mapbox76m", "srtm30"]
MAX_ZOOM = 14

ENCODE = """
import sys
import numpy
from osgeo import gdal
gdal.UseExceptions()
source = gdal.Open(sys.argv[1])
band = source.GetRasterBand(1)
out = gdal.GetDriverByName("GTiff").Create(sys.argv[2], source.RasterXSize, source.RasterYSize, 3, gdal.GDT_Byte,
                                          ["TILED=YES", "BIGTIFF=IF_SAFER"])
out.SetGeoTransform(source.GetGeoTransform())
out.SetProjection(source.GetProjection())
for y in range(0, source.RasterYSize, 512):
    rows = min(512, source.RasterYSize - y)
    heights = band.ReadAsArray(0, y, source.RasterXSize, rows)
    heights = numpy.where(heights == -9999, 0, heights)
    code = numpy.clip(numpy.round((heights + 32768) * 256), 0, 2**24 - 1).astype(numpy.uint32)
    for n, shift in enumerate((16, 8, 0), 1):
        out.GetRasterBand(n).WriteArray((code >> shift & 255).astype(numpy.uint8), 0, y)
out = None
"""


def mercator(lon, lat):
    import math
    return lon * 20037508.342789244 / 180, math.log(math.tan(math.radians(45 + lat / 2))) * 6378137


def measured(name, commands, **options):
    """Runs commands one after another; gives wall and CPU seconds and what they wrote to stderr."""
    before, started, said = resource.getrusage(resource.RUSAGE_CHILDREN), time.time(), ""
    for command in commands:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)
        if done.returncode != 0:
            sys.exit(f"{name}: {' '.join(command)} failed:\n{done.stdout}{done.stderr}")
        said += done.stderr
    wall, after = time.time() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, cpu, said


def row(name, tiles, wall, cpu, size, more=""):
    print(f"{name:34} {tiles:6} tiles {wall:8.1f} s {tiles / wall:8.2f} tiles/s {cpu * 1000 / tiles:8.1f} ms CPU a tile {size / 1e6:7.1f} MB {more}")
    return tiles / wall, cpu / tiles


def main():
    data = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else os.path.join(HERE, "..", "..", "shared", "dem", "fuji"))
    folders = [os.path.join(data, s) for s in SOURCES]
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as tmp:
        ours = {}
        for name, extra in [("hypso, lossless webp", []), ("hypso, png", ["--format", "png"])]:
            out = os.path.join(tmp, "h.pmtiles")
            command = [HYPSO, "tiles", *folders, "-o", out, "--jobs", "2", "--coverage", "full", "--min-zoom", "0",
                       "--max-zoom", str(MAX_ZOOM), "--bbox", *map(str, BOX), "--overwrite", *extra]
            wall, cpu, said = measured(name, [command])
            tiles = int(re.search(r"tiles +([\d,]+)", said).group(1).replace(",", ""))
            memory = re.search(r"memory +(.*in one)", said)
            ours[name] = row(name, tiles, wall, cpu, os.path.getsize(out))
            print("   ", memory.group(1) if memory else "", "|", re.search(r"workers +(.*)", said).group(1))
        rasters = [r for f in reversed(folders) for r in sorted(glob.glob(os.path.join(f, "*.tif")))]
        west, south = mercator(BOX[0], BOX[1])
        east, north = mercator(BOX[2], BOX[3])
        size = 40075016.68557849 / 512 / 2**MAX_ZOOM
        warp = ["gdalwarp", "-q", "-multi", "-wo", "NUM_THREADS=2", "-wm", "512", "-t_srs", "EPSG:3857", "-r", "bilinear", "-ot", "Float32",
                "-dstnodata", "-9999", "-tr", str(size), str(size), "-te", str(west), str(south), str(east), str(north), "-tap",
                "-co", "TILED=YES", *rasters, "all.tif"]
        commands = [warp, ["/usr/bin/python3", "-c", ENCODE, "all.tif", "rgb.tif"],
                    ["gdal2tiles.py", "-q", "--xyz", "--tilesize=512", "-z", f"0-{MAX_ZOOM}", "--processes=2", "-w", "none", "rgb.tif", "tiles"]]
        wall, cpu, _ = measured("peer", commands, cwd=tmp)
        files = glob.glob(os.path.join(tmp, "tiles", "*", "*", "*.png"))
        peer = row("gdalwarp + numpy + gdal2tiles, png", len(files), wall, cpu, sum(map(os.path.getsize, files)))
        for name, (rate, cpu) in ours.items():
            print(f"{name}: {rate / peer[0]:.2f} x the peer's tiles a second, {peer[1] / cpu:.2f} x less CPU a tile")


if __name__ == "__main__":
    main()
