#!/usr/bin/env python3
"""Has a browser decode the WebP tiles of an archive and compares every pixel with the same tiles as PNG.

    scripts/browser.py terrain.pmtiles --hypso target/release/hypso

The PNG tiles are made by `hypso convert`, which decodes WebP with a decoder of its own; so a pixel that differs means that the browser
reads a file differently. Needs Chromium (Debian: chromium-headless-shell or chromium); nothing else but Python and hypso. Exit code 1 where
a pixel differs or a tile is not decoded.
"""

import argparse
import http.server
import json
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

BROWSERS = ["chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"]

PAGE = b"""<!doctype html><meta charset="utf-8"><title>tiles</title><script>
const pixels = async (url) => {
  const blob = await (await fetch(url)).blob();
  const image = await createImageBitmap(blob, {colorSpaceConversion: "none", premultiplyAlpha: "none"});
  const canvas = new OffscreenCanvas(image.width, image.height);
  const context = canvas.getContext("2d", {willReadFrequently: true});
  context.drawImage(image, 0, 0);
  return context.getImageData(0, 0, image.width, image.height);
};
(async () => {
  const result = {agent: navigator.userAgent, tiles: 0, pixels: 0, different: []};
  for (const name of await (await fetch("/list")).json()) {
    try {
      const [a, b] = [await pixels(`/webp/${name}.webp`), await pixels(`/png/${name}.png`)];
      let unlike = a.width !== b.width || a.height !== b.height ? 1 : 0;
      for (let i = 0; i < a.data.length; i++) unlike += a.data[i] !== b.data[i] ? 1 : 0;
      if (unlike) result.different.push(`${name}: ${unlike} values`);
      result.tiles += 1;
      result.pixels += a.width * a.height;
    } catch (error) {
      result.different.push(`${name}: ${error}`);
    }
  }
  await fetch("/result", {method: "POST", body: JSON.stringify(result)});
})();
</script>"""


def tiles_of(hypso: str, archive: Path, folder: Path, image: str) -> None:
    # Without a format tiles are copied byte by byte.
    anew = ["--tile-format", image] if image == "png" else []
    command = [hypso, "--progress", "none", "convert", str(archive), "-o", str(folder), *anew]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def serve(folder: Path, names: list[str]) -> tuple[http.server.ThreadingHTTPServer, dict, threading.Event]:
    found: dict = {}
    done = threading.Event()

    class Handler(http.server.BaseHTTPRequestHandler):
        def answer(self, body: bytes, kind: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            if self.path == "/":
                return self.answer(PAGE, "text/html")
            if self.path == "/list":
                return self.answer(json.dumps(names).encode(), "application/json")
            image, _, name = self.path.removeprefix("/").partition("/")
            if image in ("webp", "png") and name.rpartition(".")[0] in names:
                return self.answer((folder / image / name).read_bytes(), f"image/{image}")
            return self.send_error(404)

        def do_POST(self) -> None:
            found.update(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.answer(b"", "text/plain")
            done.set()

        def log_message(self, *_: object) -> None:
            pass

    return http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler), found, done


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archives", nargs="+", type=Path, help="archives of WebP tiles")
    parser.add_argument("--hypso", default="hypso", help="the program")
    parser.add_argument("--browser", default=next(filter(shutil.which, BROWSERS), None), help="Chromium")
    parser.add_argument("--seconds", type=float, default=300, help="how long the browser may take for an archive")
    args = parser.parse_args()
    if args.browser is None:
        print("no browser found; install chromium-headless-shell or give --browser", file=sys.stderr)
        return 2
    failed = False
    for archive in args.archives:
        with tempfile.TemporaryDirectory() as work:
            folder = Path(work)
            tiles_of(args.hypso, archive, folder / "webp", "webp")
            tiles_of(args.hypso, archive, folder / "png", "png")
            names = sorted(str(p.relative_to(folder / "webp").with_suffix("")) for p in (folder / "webp").rglob("*.webp"))
            server, found, done = serve(folder, names)
            threading.Thread(target=server.serve_forever, daemon=True).start()
            address = f"http://127.0.0.1:{server.server_address[1]}/"
            command = [args.browser, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={work}/profile"]
            browser = subprocess.Popen(
                [*command, "--remote-debugging-port=0", address], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            try:
                in_time = done.wait(args.seconds)
            finally:
                browser.terminate()
                browser.wait()
                server.shutdown()
            if not in_time:
                print(f"{archive}: the browser gave no answer in {args.seconds:.0f} s", file=sys.stderr)
                failed = True
                continue
            bad = found["different"]
            failed |= bool(bad) or found["tiles"] != len(names) or not names
            engine = found["agent"].split()[-2]
            print(f"{archive}: {found['tiles']} of {len(names)} tiles, {found['pixels']} pixels, {len(bad)} differ ({engine})")
            for line in bad[:10]:
                print(f"  {line}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
