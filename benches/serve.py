#!/usr/bin/env python3
"""`hypso serve` beside nginx, martin and a bare rasterio service, on the same cores, over loopback.

    cargo build --release
    python3 benches/serve.py ARCHIVE.pmtiles HEIGHTS.heights [RASTER.tif] [--seconds 5] [--rounds 3]

nginx (nginx-light) serves the archive's tiles as files and is the floor; `wrk` asks for random tiles that exist, over 64
connections that are kept open. martin is measured where it is installed, with its cache and without; the rasterio service (PyPI
rasterio, uvicorn; in target/venv) where RASTER is given. Rounds are interleaved; medians are shown. CPU is that of the server's
processes, in user and system mode, by /proc. All traffic stays on 127.0.0.1, and ends by itself.
"""

import argparse
import json
import os
import random
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
HYPSO = os.path.join(HERE, "..", "target", "release", "hypso")
PYTHON = os.path.join(HERE, "..", "target", "venv", "bin", "python")
TICK = os.sysconf("SC_CLK_TCK")

ASGI = """
import json, sys
from urllib.parse import parse_qs
import rasterio
from rasterio.warp import transform
raster = rasterio.open({raster!r})
async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    query = parse_qs(scope["query_string"].decode())
    places = [tuple(map(float, place.split(","))) for place in query["at"][0].split(";")]
    xs, ys = transform("EPSG:4326", raster.crs, [p[0] for p in places], [p[1] for p in places])
    heights = [float(value[0]) for value in raster.sample(zip(xs, ys))]
    body = json.dumps({{"elevations": heights}}).encode()
    await send({{"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]}})
    await send({{"type": "http.response.body", "body": body}})
"""


def port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def children(pid):
    """A process and all below it."""
    found = [pid]
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/children") as below:
            for child in below.read().split():
                found += children(int(child))
    return found


def cpu(pid):
    total = 0
    for one in children(pid):
        with open(f"/proc/{one}/stat") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICK


def memory(pid):
    """Memory that no file stands behind, MB."""
    total = 0
    for one in children(pid):
        with open(f"/proc/{one}/status") as status:
            total += int(re.search(r"RssAnon:\s+(\d+)", status.read())[1])
    return total / 1000


class Server:
    def __init__(self, name, command, address, ready, **options):
        self.name, self.address = name, address
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)
        begun = time.time()
        while True:
            try:
                urllib.request.urlopen(address + ready, timeout=1).read()
                break
            except Exception:
                if time.time() - begun > 30 or self.process.poll() is not None:
                    sys.exit(f"{name} does not start: {' '.join(command)}")
                time.sleep(0.005)
        self.started = time.time() - begun

    def stop(self):
        self.process.terminate()
        self.process.wait()


def wrk(server, lua, paths, connections, seconds):
    """Requests a second, CPU microseconds a request, p95 and p99 in ms, errors."""
    before = cpu(server.process.pid)
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "--timeout", "5s", "-s", lua, server.address, "--", paths]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    spent = cpu(server.process.pid) - before
    requests = int(re.search(r"(\d+) requests in", out)[1])
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", out)
    sockets = re.search(r"Socket errors: .*", out)
    at = dict(re.findall(r"REPORT (p\d+) ([\d.]+)", out))
    return {
        "rate": float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1]),
        "cpu": spent / max(requests, 1) * 1e6,
        "p95": float(at["p95"]), "p99": float(at["p99"]),
        "bytes": re.search(r"Transfer/sec:\s+(\S+)", out)[1],
        "errors": f"{bad[1] if bad else 0} bad{', ' + sockets[0] if sockets else ''}",
    }


LUA = """
local paths = {}
function init(args)
  for line in io.lines(args[1]) do paths[#paths + 1] = wrk.format("GET", line) end
  math.randomseed(7)
end
function request() return paths[math.random(#paths)] end
function done(summary, latency, requests)
  io.write(string.format("REPORT p95 %.3f\\n", latency:percentile(95) / 1000))
  io.write(string.format("REPORT p99 %.3f\\n", latency:percentile(99) / 1000))
end
"""


def row(title, servers, lua, paths, connections, seconds, rounds):
    """Servers in turns; medians beside the first one."""
    results = {server.name: [] for server in servers}
    for _ in range(rounds):
        for server in servers:
            results[server.name].append(wrk(server, lua, paths[server.name], connections, seconds))
    print(f"\n{title}, {connections} connections")
    floor = statistics.median(r["rate"] for r in results[servers[0].name])
    for server in servers:
        of = results[server.name]
        mid = lambda key: statistics.median(r[key] for r in of)
        print(f"  {server.name:24} {mid('rate'):9.0f} requests/s {mid('rate') / floor:6.2f}  CPU {mid('cpu'):7.1f} us"
              f"  p95 {mid('p95'):7.2f} p99 {mid('p99'):7.2f} ms  {of[0]['bytes']}/s  {memory(server.process.pid):6.1f} MB  {of[0]['errors']}")
    sys.stdout.flush()


def open_loop(server, paths, rate, seconds):
    """Requests begin at their time, whether others have ended or not: `rate` a second from 50 threads. Gives the times in ms."""
    import http.client
    host = server.address.split("//")[1]
    lock, due, took, failed = threading.Lock(), [0], [], [0]
    count, begun = rate * seconds, time.perf_counter() + 0.2

    def work():
        connection = http.client.HTTPConnection(host)
        while True:
            with lock:
                mine, due[0] = due[0], due[0] + 1
            if mine >= count:
                return
            at = begun + mine / rate
            time.sleep(max(0, at - time.perf_counter()))
            connection.request("GET", paths[mine % len(paths)])
            answer = connection.getresponse()
            answer.read()
            took.append((time.perf_counter() - at) * 1000)
            failed[0] += answer.status >= 400

    threads = [threading.Thread(target=work) for _ in range(50)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    took.sort()
    at = lambda share: took[min(len(took) - 1, int(share * len(took)))]
    print(f"\nopen loop at {rate}/s, mixed: p50 {at(.5):.2f} p95 {at(.95):.2f} p99 {at(.99):.2f} greatest {took[-1]:.2f} ms, {failed[0]} failed")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive")
    parser.add_argument("heights")
    parser.add_argument("raster", nargs="?")
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="hypso-serve-")
    try:
        run(args, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run(args, folder):
    tiles = os.path.join(folder, "www")
    subprocess.run([HYPSO, "convert", args.archive, "-o", tiles], check=True, stderr=subprocess.DEVNULL)
    os.chmod(folder, 0o755)
    found = [os.path.relpath(os.path.join(at, name), tiles) for at, _, names in os.walk(tiles) for name in names]
    found = sorted(path for path in found if re.fullmatch(r"\d+/\d+/\d+\.\w+", path))
    lua = os.path.join(folder, "ask.lua")
    open(lua, "w").write(LUA)

    def listed(name, paths):
        path = os.path.join(folder, name)
        open(path, "w").write("".join(f"{one}\n" for one in paths))
        return path

    conf = os.path.join(folder, "nginx.conf")
    at = port()
    open(conf, "w").write(f"""
worker_processes 2; pid {folder}/nginx.pid; error_log {folder}/error.log; daemon off;
events {{ worker_connections 8192; }}
http {{ sendfile on; access_log off; keepalive_requests 1000000; types {{ image/webp webp; image/png png; }}
  server {{ listen 127.0.0.1:{at} backlog=4096; root {tiles}; }} }}
""")
    nginx = Server("nginx, files", ["nginx", "-c", conf], f"http://127.0.0.1:{at}", "/" + found[0])
    at = port()
    hypso = Server("hypso serve", [HYPSO, "serve", f"x={args.archive}", f"x={args.heights}", "--listen", f"127.0.0.1:{at}"],
                   f"http://127.0.0.1:{at}", "/ready")
    servers = [nginx, hypso]
    paths = {nginx.name: listed("nginx", ["/" + one for one in found]), hypso.name: listed("hypso", ["/tiles/x/" + one for one in found])}
    if shutil.which("martin"):
        for name, cache in (("martin, cache 256 MB", []), ("martin, no cache", ["--cache-size", "0"])):
            at = port()
            source = os.path.splitext(os.path.basename(args.archive))[0]
            martin = Server(name, ["martin", "--listen-addresses", f"127.0.0.1:{at}", *cache, args.archive], f"http://127.0.0.1:{at}", "/health")
            servers.append(martin)
            paths[name] = listed(name.replace(" ", "-"), [f"/{source}/" + one.rsplit(".", 1)[0] for one in found])
    row("random tiles", servers, lua, paths, 64, args.seconds, args.rounds)
    row("random tiles", [nginx, hypso], lua, paths, 5000, args.seconds, 1)

    rng = random.Random(7)
    west, south, east, north = json.load(urllib.request.urlopen(hypso.address + "/x.json"))["bounds"]
    places = [(rng.uniform(west, east), rng.uniform(south, north)) for _ in range(5000)]
    text = lambda many: ";".join(f"{lon:.6f},{lat:.6f}" for lon, lat in many)
    askers = {"one height": ([f"/elevation/x?lon={lon:.6f}&lat={lat:.6f}" for lon, lat in places], 1),
              "100 heights": (["/v1/x?locations=" + "%7C".join(f"{lat:.6f},{lon:.6f}" for lon, lat in rng.sample(places, 100)) for _ in range(500)], 100),
              "profile of 512": ([f"/profile/x?line={text(rng.sample(places, 2))}&samples=512" for _ in range(500)], 0)}
    peer = None
    if args.raster:
        service = os.path.join(folder, "service.py")
        open(service, "w").write(ASGI.format(raster=os.path.abspath(args.raster)))
        at = port()
        peer = Server("rasterio, ASGI", [PYTHON, "-m", "uvicorn", "--port", str(at), "--log-level", "critical", "--no-access-log", "service:app"],
                      f"http://127.0.0.1:{at}", f"/?at={text(places[:1])}", cwd=folder)
    for title, (asked, count) in askers.items():
        # The floor gives as many bytes out of a file.
        answer = urllib.request.urlopen(hypso.address + asked[0]).read()
        open(os.path.join(tiles, "answer.json"), "wb").write(answer)
        title += f", {len(answer)} bytes"
        these = {nginx.name: listed("floor", ["/answer.json"]), hypso.name: listed("asked", asked)}
        beside = [nginx, hypso]
        if peer and count:
            these[peer.name] = listed("peer", [f"/?at={text(rng.sample(places, count))}" for _ in range(500)])
            beside.append(peer)
        row(title, beside, lua, these, 16, args.seconds, args.rounds)
    mixed = [one for many, _ in askers.values() for one in many[:100]] + ["/tiles/x/" + one for one in rng.sample(found, min(len(found), 100))]
    rng.shuffle(mixed)
    open_loop(hypso, mixed, 1000, args.seconds)
    for server in servers + [peer] * bool(peer):
        server.stop()

    many = os.path.join(folder, "many")
    os.mkdir(many)
    for n in range(100):
        os.link(args.archive, os.path.join(many, f"a{n}.pmtiles")) if os.stat(args.archive).st_dev == os.stat(many).st_dev else shutil.copy(args.archive, os.path.join(many, f"a{n}.pmtiles"))
    times = []
    for _ in range(5):
        at = port()
        hundred = Server("hypso, 100 archives", [HYPSO, "serve", many, "--listen", f"127.0.0.1:{at}"], f"http://127.0.0.1:{at}", "/ready")
        times.append(hundred.started * 1000)
        own = memory(hundred.process.pid)
        hundred.stop()
    print(f"\nstart to ready, 100 archives: {statistics.median(times):.0f} ms, {own:.1f} MB own")
    share(args, found, lua, listed)


def share(args, found, lua, listed):
    """Memory of four servers beside that of one, each having given out every tile: pages of the map count once."""
    paths = listed("shared", ["/tiles/x/" + one for one in found])
    servers, sums = [], {}
    for count in range(1, 5):
        at = port()
        servers.append(Server("hypso", [HYPSO, "serve", f"x={args.archive}", f"x={args.heights}", "--listen", f"127.0.0.1:{at}"],
                              f"http://127.0.0.1:{at}", "/ready"))
        wrk(servers[-1], lua, paths, 64, args.seconds)
        sums[count] = [sum(rollup(server.process.pid, key) for server in servers) for key in ("Pss", "Anonymous")]
    print(f"memory of 1 and of 4 processes, with shared pages: {sums[1][0]:.0f} and {sums[4][0]:.0f} MB, of which own {sums[1][1]:.1f} and {sums[4][1]:.1f} MB")
    for server in servers:
        server.stop()


def rollup(pid, key):
    """A line of smaps_rollup, MB."""
    with open(f"/proc/{pid}/smaps_rollup") as maps:
        return int(re.search(rf"^{key}:\s+(\d+)", maps.read(), re.M)[1]) / 1000


if __name__ == "__main__":
    main()
