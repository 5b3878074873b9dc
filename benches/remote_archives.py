#!/usr/bin/env python3
"""Extracts of cities from a remote archive of a gigabyte: requests, bytes and time, by a server on this machine that waits before each answer.

    python3 benches/remote_archives.py target/release/hypso FOLDER

Makes FOLDER/world.pmtiles (all tiles of zooms 0 to 9, noise of 3 kB) where it is not there. The floor is the same extract from the file.
"""
import http.server
import os
import re
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "common"))
import world

CITIES = {"Fuji": "138.6,35.2,138.9,35.5", "Berlin": "13.1,52.3,13.8,52.7", "Fiji": "176,-20,-178,-15", "Japan": "122.5,24,146,46"}
asked = []


class Ranges(http.server.BaseHTTPRequestHandler):
    """Answers ranges of files in the current folder, each after 30 ms."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def do_GET(self):
        path = "." + self.path
        size = os.path.getsize(path)
        start, last = map(int, re.match(r"bytes=(\d+)-(\d+)", self.headers["Range"]).groups())
        last = min(last, size - 1)
        asked.append(last + 1 - start)
        time.sleep(0.03)
        with open(path, "rb") as file:
            file.seek(start)
            body = file.read(last + 1 - start)
        self.send_response(206)
        self.send_header("ETag", f'"{size}"')
        self.send_header("Content-Range", f"bytes {start}-{last}/{size}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def make(hypso):
    world.make("world.mbtiles")
    subprocess.run([hypso, "convert", "world.mbtiles", "-o", "world.pmtiles"], check=True)
    os.remove("world.mbtiles")


def main():
    hypso, folder = os.path.abspath(sys.argv[1]), sys.argv[2]
    os.makedirs(folder, exist_ok=True)
    os.chdir(folder)
    if not os.path.exists("world.pmtiles"):
        make(hypso)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Ranges)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}/world.pmtiles"
    print(f"{os.path.getsize('world.pmtiles') / 1e6:.0f} MB")
    for city, box in CITIES.items():
        seconds = {}
        for source in ["world.pmtiles", url]:
            asked.clear()
            begun = time.monotonic()
            command = [hypso, "extract", source, "--bbox", box, "-o", "city.pmtiles", "--overwrite"]
            said = subprocess.run(command, check=True, capture_output=True, text=True)
            seconds[source] = time.monotonic() - begun
        tiles = said.stdout.split(": ", 1)[1].strip()
        print(f"{city}: {tiles}; {len(asked)} requests, {sum(asked) / 1e6:.2f} MB; {seconds[url]:.2f} s, from the file {seconds['world.pmtiles']:.2f} s")
        print("   ", said.stderr.strip().splitlines()[-1])


main()
