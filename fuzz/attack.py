#!/usr/bin/env python3
"""Alters the files that the program reads, and looks how each command ends.

    fuzz/attack.py --hypso target/release/hypso --seed 1 --rounds 100 [KIND ...]

A command may end with 0 and the right result, or with 1, 2 or 3 and a message of at most a screen that names a file. Anything else is a finding:
a panic (101), a signal, more memory or time than allowed, another result than without the alteration, a file that it left behind.
Findings are printed, and the altered files kept in the folder that is named. Needs Python 3 and the program, nothing else.
"""

import argparse
import hashlib
import json
import os
import random
import re
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import zlib

MEMORY = 6 << 30
SECONDS = 90
MESSAGE = 6000

HUGE = ["139.01", "34.2", "12", "180", "-179.9", "0", "-1", "1e308", "-1e308", "1e999", "NaN", "99999999999999999999", "4294967295", "2147483648", "9223372036854775807",
        "18446744073709551615", "255", "256", "0.0000000001", "null", "\"x\"", "[]", "{}", "true"]


SERVE = """listen = "127.0.0.1:0"
admin = "127.0.0.1:0"
public_url = "https://example.org/v1"
missing = "204"
max_age = 3600
inputs = ["a=o.pmtiles", "a=h.heights", "a=s.hypso", "b=o.mbtiles"]

[limits]
locations = 1000
url_bytes = 8192
read_seconds = 10
connections = 100
"""


class Program:
    def __init__(self, path):
        self.path = os.path.abspath(path)

    def run(self, *arguments, cwd=None, seconds=SECONDS):
        def limit():
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        begun = time.time()
        child = subprocess.Popen([self.path, *arguments], cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, preexec_fn=limit, start_new_session=True)
        try:
            out, err = child.communicate(timeout=seconds)
            code = child.returncode
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            out, err = child.communicate()
            code = "hang"
        return code, out, err.decode("utf-8", "replace"), time.time() - begun

    def must(self, *arguments, cwd=None):
        code, out, err, _ = self.run(*arguments, cwd=cwd)
        if code != 0:
            sys.exit(f"{arguments}: {code}: {err}")
        return out


def alter_bytes(data, r):
    data = bytearray(data)
    n = len(data)
    if n == 0:
        return bytes([r.randrange(256)])
    at = r.randrange(n)
    kind = r.randrange(8)
    if kind == 0:
        for _ in range(r.choice([1, 1, 3, 20])):
            data[r.randrange(n)] ^= 1 << r.randrange(8)
    elif kind == 1:
        del data[at:]
    elif kind == 2:
        del data[at:at + r.choice([1, 4, 8, 100, 5000])]
    elif kind == 3:
        piece = data[at:at + r.choice([1, 8, 64, 1000])]
        to = r.randrange(n)
        data[to:to] = piece
    elif kind == 4:
        size = r.choice([1, 2, 4, 8])
        value = r.choice([0, 1, 2 ** (8 * size) - 1, 2 ** (8 * size - 1), 2 ** (8 * size - 1) - 1, n, n - 1, n + 1, n * 2, r.getrandbits(8 * size)])
        data[at:at + size] = (value % 2 ** (8 * size)).to_bytes(size, r.choice(["little", "big"]))
    elif kind == 5:
        piece = data[at:at + r.choice([8, 64, 1000])]
        to = r.randrange(n)
        data[to:to + len(piece)] = piece
    elif kind == 6:
        length = r.choice([1, 16, 4096])
        data[at:at + length] = bytes([r.choice([0, 255])]) * length
    else:
        data += bytes(r.getrandbits(8) for _ in range(r.choice([1, 100])))
    return bytes(data)


def alter_text(data, r):
    if r.random() < 0.3:
        return alter_bytes(data, r)
    text = data.decode("utf-8", "replace")
    numbers = list(re.finditer(r"-?\d+(\.\d+)?([eE][-+]?\d+)?", text))
    words = list(re.finditer(r'"[^"\n]*"', text))
    kind = r.randrange(6)
    if kind <= 2 and numbers:
        for m in sorted(r.sample(numbers, min(len(numbers), r.choice([1, 1, 2, 5]))), key=lambda m: -m.start()):
            text = text[:m.start()] + r.choice(HUGE) + text[m.end():]
    elif kind == 3 and words:
        m = r.choice(words)
        new = r.choice(["", "\\u001b[31mred", "x" * 100000, "../../../etc/passwd", "/dev/zero", "a\\nb", "\\u0000", "EPSG:99999", "é" * 300, "%s%n", "-o"])
        text = text[:m.start()] + '"' + new + '"' + text[m.end():]
    elif kind == 4:
        lines = text.split("\n")
        at = r.randrange(len(lines))
        lines[at:at] = r.choice([[lines[at]] * r.choice([1, 50]), ["\x1b[2J\x07"], ["[" * 20000], ["{\"a\":" * 20000], ["\ufeff"], [","] * 3])
        text = "\n".join(lines)
    else:
        lines = text.split("\n")
        del lines[r.randrange(len(lines))]
        text = "\n".join(lines)
    return text.encode("utf-8", "surrogatepass")


class World:
    """A small data set, and all that is made of it."""

    def __init__(self, program, folder):
        self.program, self.folder = program, folder
        run = lambda *a: program.must(*a, cwd=folder)
        run("sample", "-o", "s", "--size", "small")
        run("build", "-o", "s.hypso", "--config", "s/hypso.toml")
        run("aggregate", "s.hypso", "-o", "o.pmtiles", "--max-zoom", "12", "--lineage", "--jobs", "1")
        run("aggregate", "s.hypso", "-o", "p.pmtiles", "--max-zoom", "12", "--lineage", "--jobs", "1", "--nodata-elevation", "5")
        # From here on the same pixels, but one raster has another time: an update has something to do.
        os.utime(f"{folder}/s/dem10/mesh_11.tif", (1_600_000_000, 1_600_000_000))
        run("build", "-o", "s.hypso", "--config", "s/hypso.toml", "--overwrite")
        run("convert", "o.pmtiles", "-o", "o.mbtiles")
        run("diff", "o.pmtiles", "p.pmtiles", "-o", "d.pmtiles")
        run("diff", "o.pmtiles", "p.pmtiles", "-o", "d.mbtiles")
        run("convert", "o.pmtiles", "-o", "h.heights", "--lineage", "o-lineage.pmtiles")
        with open(f"{folder}/serve.toml", "w") as f:
            f.write(SERVE)
        run("export", "s.hypso", "-o", "i.gti.gpkg")
        run("export", "s.hypso", "-o", "i.fgb")
        run("export", "s.hypso", "-o", "i.geojson")
        run("build", "s/dem10", "-o", "b.hypso", "--write-bounds", "s/dem10/bounds.csv")
        os.remove(f"{folder}/b.hypso")
        box = [[139.0, 34.0], [141.0, 34.0], [141.0, 37.0], [139.0, 37.0], [139.0, 34.0]]
        b = json.loads(run("info", "s.hypso", "--format", "json"))
        bounds = b.get("bounds") or b.get("bounds_lon_lat") or [box[0][0], box[0][1], box[2][0], box[2][1]]
        w, s, e, n = bounds
        ring = [[w, s], [(w + e) / 2, s], [e, n], [w, n], [w, s]]
        with open(f"{folder}/clip.geojson", "w") as f:
            json.dump({"type": "FeatureCollection", "features": [
                {"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [ring]}}]}, f, indent=1)
        # A plan, and a work folder with all its packs but the last.
        run("plan", "s.hypso", "-o", "w.pmtiles", "--max-zoom", "12", "--export", "plan.json")
        units = len(json.load(open(f"{folder}/plan.json"))["units"])
        for unit in range(max(1, units - 1)):
            run("work", "--plan", "plan.json", "--unit", str(unit))
        self.units = units
        shutil.copytree(f"{folder}/w.pmtiles.work", f"{folder}/work.kept")
        run("aggregate", "s.hypso", "-o", "w.pmtiles", "--max-zoom", "12", "--jobs", "1")
        self.reference = self.content("w.pmtiles")
        for name in os.listdir(folder):
            if name.startswith("w.pmtiles"):
                path = f"{folder}/{name}"
                shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)
        self.result = self.content("p.pmtiles")
        self.whole = self.content("o.pmtiles")

    def content(self, name):
        """A digest of an archive's tiles, or of a store's bytes."""
        path = f"{self.folder}/{name}"
        if name.endswith(".pmtiles"):
            with open(path, "rb") as f:
                head = f.read(127)
                at, length = (int.from_bytes(head[n:n + 8], "little") for n in (56, 64))
                f.seek(at)
                tiles = f.read(length)
                f.seek(int.from_bytes(head[8:16], "little"))
                return hashlib.sha256(tiles + f.read(int.from_bytes(head[16:24], "little"))).hexdigest()
        with open(path, "rb") as f:
            return hashlib.sha256(f.read()).hexdigest()

    def listing(self):
        return {name for name in os.listdir(self.folder) if ".tmp" in name}


# Each kind: what is altered, how, and the commands with the file that each makes and what that must be.
def packs(w, r):
    shutil.rmtree(f"{w.folder}/w.pmtiles.work", ignore_errors=True)
    shutil.copytree(f"{w.folder}/work.kept", f"{w.folder}/w.pmtiles.work")
    found = [os.path.join(base, name) for base, _, names in os.walk(f"{w.folder}/w.pmtiles.work/packs") for name in names]
    found.sort()
    path = r.choice(found)
    with open(path, "rb") as f:
        data = f.read()
    if r.random() < 0.2:
        # Another pack of the same run.
        with open(r.choice(found), "rb") as f:
            new = f.read()
    else:
        new = alter_bytes(data, r)
    with open(path, "wb") as f:
        f.write(new)
    # Zero is right only with the same tiles.
    return [(("aggregate", "s.hypso", "-o", "w.pmtiles", "--max-zoom", "12", "--jobs", "1"), "w.pmtiles", w.reference),
            (("aggregate", "s.hypso", "-o", "w.pmtiles", "--max-zoom", "12", "--jobs", "1", "--overwrite"), "w.pmtiles", w.reference)]


def run_json(w, r):
    shutil.rmtree(f"{w.folder}/w.pmtiles.work", ignore_errors=True)
    shutil.copytree(f"{w.folder}/work.kept", f"{w.folder}/w.pmtiles.work")
    change(f"{w.folder}/w.pmtiles.work/run.json", alter_text, r)
    return [(("work", "--plan", "plan.json", "--unit", "0"), None, None),
            (("aggregate", "s.hypso", "-o", "w.pmtiles", "--max-zoom", "12", "--jobs", "1"), "w.pmtiles", w.reference)]


def change(path, how, r, to=None):
    with open(path, "rb") as f:
        data = f.read()
    for _ in range(r.choice([1, 1, 2, 4])):
        data = how(data, r)
    with open(to or path, "wb") as f:
        f.write(data)


def inputs(w, r):
    for name in ("o.pmtiles", "o-lineage.pmtiles"):
        shutil.copy(f"{w.folder}/{name}", f"{w.folder}/u{name[1:]}")
    change(f"{w.folder}/o.pmtiles.inputs", alter_bytes, r, f"{w.folder}/u.pmtiles.inputs")
    return [(("aggregate", "s.hypso", "-o", "u.pmtiles", "--max-zoom", "12", "--lineage", "--jobs", "1", "--update"), "u.pmtiles", w.whole)]


def patch_pmtiles(w, r):
    change(f"{w.folder}/d.pmtiles", alter_bytes, r, f"{w.folder}/x.pmtiles")
    return [(("patch", "o.pmtiles", "x.pmtiles", "-o", "y.pmtiles"), "y.pmtiles", w.result), (("verify", "x.pmtiles"), None, None)]


def patch_mbtiles(w, r):
    change(f"{w.folder}/d.mbtiles", alter_bytes, r, f"{w.folder}/x.mbtiles")
    return [(("patch", "o.mbtiles", "x.mbtiles", "-o", "y.pmtiles"), "y.pmtiles", w.result), (("inspect", "x.mbtiles"), None, None)]


def plan(w, r):
    shutil.rmtree(f"{w.folder}/w.pmtiles.work", ignore_errors=True)
    change(f"{w.folder}/plan.json", alter_text, r, f"{w.folder}/x.json")
    last = str(w.units - 1)
    return [(("work", "--plan", "x.json", "--unit", "0"), None, None), (("work", "--plan", "x.json", "--unit", last), None, None)]


def toml(w, r):
    change(f"{w.folder}/s/hypso.toml", alter_text, r, f"{w.folder}/s/x.toml")
    return [(("build", "-o", "x.hypso", "--config", "s/x.toml"), None, None)]


def clip(w, r):
    change(f"{w.folder}/clip.geojson", alter_text, r, f"{w.folder}/x.geojson")
    return [(("plan", "s.hypso", "-o", "y.pmtiles", "--clip", "x.geojson"), None, None),
            (("extract", "o.pmtiles", "-o", "y.pmtiles", "--clip", "x.geojson"), None, None)]


def bounds(w, r):
    os.makedirs(f"{w.folder}/s/x", exist_ok=True)
    for name in os.listdir(f"{w.folder}/s/dem10"):
        if name.endswith(".tif") and not os.path.exists(f"{w.folder}/s/x/{name}"):
            os.link(f"{w.folder}/s/dem10/{name}", f"{w.folder}/s/x/{name}")
    change(f"{w.folder}/s/dem10/bounds.csv", alter_text, r, f"{w.folder}/s/x/bounds.csv")
    return [(("build", "-o", "x.hypso", "s/x/bounds.csv"), None, None), (("plan", "x.hypso"), None, None)]


def index(name, how):
    def attack(w, r):
        new = "x" + name[1:]
        change(f"{w.folder}/{name}", how, r, f"{w.folder}/{new}")
        return [(("build", "-o", "x.hypso", new), None, None), (("plan", "x.hypso"), None, None)]
    return attack


def raster(w, r):
    os.makedirs(f"{w.folder}/r", exist_ok=True)
    name = r.choice(sorted(os.listdir(f"{w.folder}/s/aw30")))
    change(f"{w.folder}/s/aw30/{name}", alter_bytes, r, f"{w.folder}/r/{name}")
    for other in os.listdir(f"{w.folder}/r"):
        if other != name:
            os.remove(f"{w.folder}/r/{other}")
    return [(("tiles", "r", "-o", "y.pmtiles", "--max-zoom", "10", "--jobs", "1"), None, None)]


def store(w, r):
    change(f"{w.folder}/s.hypso", alter_bytes, r, f"{w.folder}/x.hypso")
    return [(("plan", "x.hypso", "--max-zoom", "12"), None, None), (("verify", "x.hypso"), None, None), (("query", "x.hypso", "--bbox=-180,-80,180,80"), None, None),
            (("aggregate", "x.hypso", "-o", "y.pmtiles", "--max-zoom", "10", "--jobs", "1"), None, None)]


def heights(w, r):
    change(f"{w.folder}/h.heights", alter_bytes, r, f"{w.folder}/x.heights")
    lon, lat = r.uniform(138.9, 139.1), r.uniform(34.1, 34.3)
    return [(("verify", "x.heights"), None, None), (("inspect", "x.heights"), None, None), (("stats", "x.heights"), None, None),
            (("height", "x.heights", f"{lon},{lat}", "--details"), None, None), (("profile", "x.heights", f"{lon},{lat}", "139,34.2"), None, None),
            (("convert", "x.heights", "-o", "y.pmtiles"), None, None), (("serve", "x.heights", "--check"), None, None)]


def serve(w, r):
    change(f"{w.folder}/serve.toml", alter_text, r, f"{w.folder}/x.toml")
    return [(("serve", "--config", "x.toml", "--check"), None, None)]


def tiff(entries, data=b""):
    """A little-endian TIFF of one directory: (tag, type, values) with type 3, 4 or 12; tag 273 is moved behind the directory."""
    size, form = {3: 2, 4: 4, 12: 8, 2: 1}, {3: "H", 4: "I", 12: "d", 2: "B"}
    at = 8 + 2 + 12 * len(entries) + 4
    more, body = b"", b""
    longer = sum(size[kind] * len(values) for _, kind, values in entries if size[kind] * len(values) > 4)
    for tag, kind, values in sorted(entries):
        if tag == 273 or tag == 324:
            values = [at + longer] * len(values)
        packed = struct.pack(f"<{len(values)}{form[kind]}", *values)
        if len(packed) > 4:
            place, more = struct.pack("<I", at + len(more)), more + packed
        else:
            place = packed.ljust(4, b"\0")
        body += struct.pack("<HHI", tag, kind, len(values)) + place
    return struct.pack("<2sHIH", b"II", 42, 8, len(entries)) + body + struct.pack("<I", 0) + more + data


def bomb(w, r):
    """A GeoTIFF of a few kilobytes whose header promises many cells: deflated zeros, or nothing at all behind the header."""
    os.makedirs(f"{w.folder}/x", exist_ok=True)
    width, height = r.choice([1, 300, 20_000, 100_000, 2 ** 31 - 1]), r.choice([1, 200, 20_000, 100_000, 2 ** 31 - 1])
    bits, form = r.choice([(8, 1), (16, 2), (32, 3), (64, 3)])
    tile = r.choice([None, None, 16, 512, 16_384, 2 ** 20])
    compression = r.choice([1, 8, 5, 32773, 50000])
    # Ten megabytes of zeros a hundred times over, as deflate packs them.
    data = zlib.compress(bytes(r.choice([100, 10_000_000, 50_000_000])), 9) if compression == 8 else bytes(r.choice([0, 100, 5000]))
    rows = min(height, r.choice([1, 16, height]))
    strips = -(-width // tile) * -(-height // tile) if tile else -(-height // rows)
    count = min(strips, r.choice([1, 1000, 20_000]))
    cell = r.choice([1e-9, 1e-4, 0.5 / width, 10.0])
    keys = [1, 1, 0, 3, 1024, 0, 1, 2, 1025, 0, 1, 1, 2048, 0, 1, 4326]
    entries = [(256, 4, [width]), (257, 4, [height]), (258, 3, [bits]), (259, 3, [compression]), (262, 3, [1]), (277, 3, [1]), (339, 3, [form]),
               (33550, 12, [cell, cell, 0.0]), (33922, 12, [0.0, 0.0, 0.0, 139.0, 34.3, 0.0]), (34735, 3, keys)]
    lengths = [r.choice([len(data), 0, 2 ** 32 - 1])] * count
    entries += [(322, 4, [tile]), (323, 4, [tile]), (324, 4, [0] * count), (325, 4, lengths)] if tile else \
        [(278, 4, [rows]), (273, 4, [0] * count), (279, 4, lengths)]
    with open(f"{w.folder}/x/bomb.tif", "wb") as f:
        f.write(tiff(entries, data))
    found = [(("build", "-o", "x.hypso", "x"), None, None), (("plan", "x.hypso"), None, None), (("provenance", "x.hypso", "139.00001,34.29999"), None, None)]
    # Many cells or tiles are honest work, and take long.
    if width * height <= 1e8 and max(width, height) * cell <= 3 and cell > 1e-6:
        found += [(("tiles", "x", "-o", "y.pmtiles", "--max-zoom", "10", "--jobs", "1", "--memory", "1G", "--overwrite"), None, None)]
    return found


KINDS = {"packs": packs, "run.json": run_json, "inputs": inputs, "patch.pmtiles": patch_pmtiles, "patch.mbtiles": patch_mbtiles,
         "plan": plan, "toml": toml, "clip": clip, "bounds": bounds, "gti": index("i.gti.gpkg", alter_bytes),
         "fgb": index("i.fgb", alter_bytes), "geojson-index": index("i.geojson", alter_text), "raster": raster, "bomb": bomb, "store": store, "heights": heights,
         "serve": serve}


def tidy(w):
    for name in os.listdir(w.folder):
        if name[0] in "uwxy" and not name.startswith("work.kept"):
            path = f"{w.folder}/{name}"
            shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)


def look(w, arguments, makes, expected):
    code, out, err, took = w.program.run(*arguments, cwd=w.folder)
    problems = []
    if code not in (0, 1, 2, 3):
        problems.append(f"ended with {code} after {took:.0f} s")
    if "panicked" in err:
        problems.append("a panic")
    lines = [line for line in err.splitlines() if line]
    if len(err) > MESSAGE:
        problems.append(f"a message of {len(err)} characters")
    if any(ord(c) < 32 and c not in "\n\t" or 127 <= ord(c) < 160 for c in err + out.decode("utf-8", "replace")):
        problems.append("control characters")
    if code in (1, 2) and not re.search(r"\.(pmtiles|mbtiles|json|toml|hypso|csv|geojson|gpkg|fgb|tif|inputs|pack|work)|heights|unit |s/|source|nothing to serve", err):
        problems.append("no file is named")
    if code == 0 and makes and os.path.exists(f"{w.folder}/{makes}") and w.content(makes) != expected:
        problems.append("another result")
    if w.listing():
        problems.append(f"left behind: {sorted(w.listing())}")
    return code, problems, err, took


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--hypso", default="target/release/hypso")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=", ".join(KINDS))
    args = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="hypso-attack-")
    w = World(Program(args.hypso), folder)
    failed = 0
    for kind in args.kinds or KINDS:
        codes, found, slowest = {}, 0, 0.0
        for n in range(args.rounds):
            tidy(w)
            r = random.Random(f"{args.seed} {kind} {n}")
            for arguments, makes, expected in KINDS[kind](w, r):
                if arguments[1:2] == ("x.hypso",) and not os.path.exists(f"{folder}/x.hypso"):
                    continue
                code, problems, err, took = look(w, arguments, makes, expected)
                slowest = max(slowest, took)
                codes[code] = codes.get(code, 0) + 1
                if problems:
                    found += 1
                    print(f"{kind} {n}: hypso {' '.join(arguments)}: {'; '.join(problems)}\n    {err[-400:]!r}", flush=True)
                    kept = f"{folder}/kept-{kind}-{n}"
                    if not os.path.exists(kept):
                        os.mkdir(kept)
                        for name in os.listdir(folder):
                            if name[0] in "uxw" and os.path.isfile(f"{folder}/{name}"):
                                shutil.copy(f"{folder}/{name}", kept)
        failed += found
        print(f"{kind}: {args.rounds} alterations, {sum(codes.values())} commands, exit codes {codes}, {slowest:.1f} s at most, {found} findings", flush=True)
    if failed:
        print(f"kept in {folder}")
    else:
        shutil.rmtree(folder)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
