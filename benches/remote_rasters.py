#!/usr/bin/env python3
"""Rasters behind a web server that takes 30 ms for each answer, beside the same files on the disk, in one run.

    cargo build --release
    python3 benches/remote_rasters.py [large]       # HYPSO=FILE measures another program

The rasters are those of `hypso sample` (31 MB, or 220 MB with `large`). The server is a program of its own and counts. Blocks are
those of all rasters, which a run of all zooms needs; requests are those of the run, its checks included. Wall seconds are the least of three
runs with 4 jobs each.
"""

import http.server
import os
import random
import subprocess
import sys
import tempfile
import threading
import time

import rasterio

HERE = os.path.dirname(os.path.abspath(__file__))
HYPSO = os.environ.get("HYPSO", os.path.join(HERE, "..", "target", "release", "hypso"))
DELAY = 0.03


class Counts:
    requests = bytes = busy = 0
    share = 0.0
    lock = threading.Lock()


def handler(folder):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, *_):
            pass

        def do_HEAD(self):
            self.answer(True)

        def do_GET(self):
            self.answer(False)

        def answer(self, head):
            time.sleep(DELAY)
            busy = random.random() < Counts.share
            with Counts.lock:
                Counts.requests += 1
                Counts.busy += busy
            if busy:
                return self.send(503, b"busy", {}, head)
            path = os.path.join(folder, self.path.lstrip("/"))
            if not os.path.isfile(path):
                return self.send(404, b"none", {}, head)
            facts = os.stat(path)
            headers = {"ETag": f'"{facts.st_mtime_ns:x}"', "Last-Modified": self.date_time_string(facts.st_mtime)}
            with open(path, "rb") as file:
                first, last = 0, facts.st_size - 1
                asked = self.headers.get("Range")
                if asked:
                    a, b = asked.removeprefix("bytes=").split("-")
                    first, last = int(a), min(int(b or last), last)
                    headers["Content-Range"] = f"bytes {first}-{last}/{facts.st_size}"
                file.seek(first)
                body = b"" if head else file.read(last - first + 1)
            self.send(206 if asked else 200, body, headers, head, last - first + 1)

        def send(self, code, body, headers, head, length=None):
            self.send_response(code)
            for name, value in {**headers, "Content-Length": str(len(body) if length is None else length)}.items():
                self.send_header(name, value)
            self.end_headers()
            if not head:
                self.wfile.write(body)
                Counts.bytes += len(body)

    return Handler


def hypso(*arguments):
    started = time.time()
    done = subprocess.run([HYPSO, *arguments], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{arguments}: {done.stderr}")
    return time.time() - started


def blocks(folder):
    """How many blocks the rasters of a folder have."""
    total = 0
    for name in os.listdir(folder):
        if name.endswith(".tif"):
            with rasterio.open(os.path.join(folder, name)) as raster:
                height, width = raster.block_shapes[0]
                total += -(-raster.width // width) * -(-raster.height // height)
    return total


def main():
    with tempfile.TemporaryDirectory(prefix="hypso-remote-") as work:
        measure(work)


def measure(work):
    at = lambda name: os.path.join(work, name)
    hypso("sample", "-o", at("s"), "--size", "large" if "large" in sys.argv[1:] else "demo")
    os.remove(at("s/hypso.toml"))
    sources = ["lidar2", "dem10", "aw30"]
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler(at("s")))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    lists = []
    for source in sources:
        hypso("build", "-o", at("x.hypso"), at(f"s/{source}"), "--write-bounds", at("b.csv"), "--overwrite")
        lines = open(at("b.csv")).read().splitlines()
        lines = [lines[0]] + [f"{url}/{source}/{line}" for line in lines[1:]]
        open(at(f"{source}.csv"), "w").write("\n".join(lines) + "\n")
        lists.append(f"{source}={at(source + '.csv')}")
    hypso("build", "-o", at("l.hypso"), *[at(f"s/{source}") for source in sources])
    hypso("build", "--allow-remote", "-o", at("r.hypso"), *lists)
    needed = sum(blocks(at(f"s/{source}")) for source in sources)
    run = lambda store, out, *more: hypso("aggregate", at(store), "-o", at(out), "--jobs", "4", "--overwrite", *more)
    local = min(run("l.hypso", "l.pmtiles") for _ in range(3))
    times = []
    for _ in range(3):
        Counts.requests = Counts.bytes = 0
        times.append(run("r.hypso", "r.pmtiles", "--allow-remote"))
    print(f"blocks {needed}, requests {Counts.requests} ({Counts.requests / needed:.2f}), {Counts.bytes / 1e6:.0f} MB")
    print(f"local {local:.2f} s, remote {min(times):.2f} s ({min(times) / local:.2f})")
    Counts.share = 0.05
    took = run("r.hypso", "b.pmtiles", "--allow-remote")
    same = "0 removed, 0 added, 0 recoded, 0 changed"
    for name in ["r", "b"]:
        found = subprocess.run([HYPSO, "diff", at("l.pmtiles"), at(f"{name}.pmtiles")], capture_output=True, text=True)
        assert same in found.stdout, found.stdout
    print(f"with 5 % of 503s: {took:.2f} s, {Counts.busy} of them, every tile the same")


if __name__ == "__main__":
    main()
