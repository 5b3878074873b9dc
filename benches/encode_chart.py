#!/usr/bin/env python3
"""Draws size against time from what the bench of encoders prints.

    cargo bench --bench encode | tee encode.txt
    benches/encode_chart.py encode.txt encoders.svg
    benches/encode_chart.py benches/RESULTS.md docs/encoders.svg     # from the table of RESULTS.md

A panel for each kind of tile: milliseconds a tile (logarithmic) to the right, bytes beside libwebp's method 4, quality 75 upwards.
"""

import re
import sys
from html import escape
from math import log10
from pathlib import Path

REFERENCE = "libwebp m4 q75"
UNITS = {"ns": 1e-6, "µs": 1e-3, "us": 1e-3, "ms": 1.0, "s": 1e3}
COLORS = {"hypso": "#0a7d4f", "libwebp": "#b3541e", "image-webp": "#5b4b9a", "png": "#777777"}
WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 380, 330, 56, 40, 46


def read(text: str) -> dict[str, dict[str, tuple[float, int]]]:
    """Milliseconds and bytes of each encoder, by kind of tile."""
    sizes: dict[tuple[str, str], int] = {}
    times: dict[tuple[str, str], float] = {}
    current = None
    for line in text.splitlines():
        if found := re.match(r"(.+), (.+): (\d+) bytes$", line):
            sizes[found[1], found[2]] = int(found[3])
            continue
        # Long names stand on a line of their own.
        if found := re.match(r"([^/\s][^/]*)/(\S.*?)(?:\s+time:|$)", line):
            current = (found[1], found[2].strip())
        if (found := re.search(r"time:\s+\[\S+ \S+ (\S+) (\S+) \S+ \S+\]", line)) and current in sizes:
            times[current] = float(found[1]) * UNITS[found[2]]
    kinds: dict[str, dict[str, tuple[float, int]]] = {}
    for (kind, encoder), size in sizes.items():
        if (kind, encoder) in times:
            kinds.setdefault(kind, {})[encoder] = (times[kind, encoder], size)
    return kinds


def read_table(text: str) -> dict[str, dict[str, tuple[float, int]]]:
    """The same from the table in RESULTS.md whose cells are `milliseconds, kilobytes`."""
    kinds: dict[str, dict[str, tuple[float, int]]] = {}
    names: list[str] = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("| ").split("|")]
        if cells[0] == "tiles" and "libwebp m0" in cells:
            family = "hypso "
            for cell in cells[1:]:
                family = "libwebp " if cell.startswith("libwebp") else "" if cell.startswith(("image-webp", "png")) else family
                names.append(family + cell.removeprefix("libwebp "))
        elif names and len(cells) == len(names) + 1 and all(re.fullmatch(r"[\d.]+, [\d.]+", cell) for cell in cells[1:]):
            pairs = [cell.split(", ") for cell in cells[1:]]
            kinds[cells[0]] = {n: (float(ms), int(float(kb) * 1000)) for n, (ms, kb) in zip(names, pairs)}
        elif kinds:
            break
    return kinds


def panel(kind: str, encoders: dict[str, tuple[float, int]], at: int) -> list[str]:
    reference = encoders[REFERENCE][1]
    ratios = {name: size / reference for name, (_, size) in encoders.items()}
    low, high = log10(1.0), log10(max(max(ms for ms, _ in encoders.values()), 100.0) * 1.4)
    top = max(ratios.values()) * 1.08
    x = lambda ms: LEFT + at + (max(log10(ms), low) - low) / (high - low) * (WIDTH - LEFT - 16)
    y = lambda ratio: HEIGHT - BOTTOM - (ratio - 0.8) / (top - 0.8) * (HEIGHT - TOP - BOTTOM)
    out = [f'<text x="{LEFT + at}" y="22" font-weight="bold">{escape(kind)}</text>']
    for ms in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000):
        if low <= log10(ms) <= high:
            out.append(f'<path d="M{x(ms):.1f} {TOP}V{HEIGHT - BOTTOM}" class="grid"/>')
            out.append(f'<text x="{x(ms):.1f}" y="{HEIGHT - BOTTOM + 15}" text-anchor="middle">{ms}</text>')
    step = 0.1 if top < 1.6 else 0.5
    marks = [i * step for i in range(int(0.8 / step) + 1, int(top / step) + 1)]
    for ratio in marks:
        weight = "one" if abs(ratio - 1) < 1e-9 else "grid"
        out.append(f'<path d="M{LEFT + at} {y(ratio):.1f}H{at + WIDTH - 16}" class="{weight}"/>')
        out.append(f'<text x="{LEFT + at - 6}" y="{y(ratio) + 4:.1f}" text-anchor="end">{ratio:.1f}</text>')
    taken: list[tuple[float, float]] = []
    for name, (ms, _) in sorted(encoders.items(), key=lambda e: e[1][0]):
        px, py = x(ms), y(ratios[name])
        color = COLORS[next(c for c in COLORS if name.startswith(c))]
        out.append(f'<circle cx="{px:.1f}" cy="{py:.1f}" r="4" fill="{color}"/>')
        # Labels climb until none is below them.
        ly = py - 8
        while any(abs(lx - px) < 92 and abs(other - ly) < 12 for lx, other in taken):
            ly -= 12
        taken.append((px, ly))
        anchor = "end" if px > at + WIDTH - 90 else "start"
        out.append(f'<text x="{px:.1f}" y="{ly:.1f}" text-anchor="{anchor}" fill="{color}">{escape(name)}</text>')
        if py - ly > 9:
            out.append(f'<path d="M{px:.1f} {py - 5:.1f}V{ly + 2:.1f}" stroke="{color}" stroke-width=".5"/>')
    out.append(f'<text x="{LEFT + at}" y="{HEIGHT - 10}">milliseconds a tile of 512 pixels</text>')
    return out


def main() -> int:
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    text = Path(sys.argv[1]).read_text()
    kinds = read(text) or read_table(text)
    if not kinds or any(REFERENCE not in encoders for encoders in kinds.values()):
        print(f"{sys.argv[1]} has no bytes and times of {REFERENCE}; is it what `cargo bench --bench encode` prints?", file=sys.stderr)
        return 1
    body = [line for i, (kind, encoders) in enumerate(kinds.items()) for line in panel(kind, encoders, i * WIDTH)]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH * len(kinds)}" height="{HEIGHT}" '
        'font-family="sans-serif" font-size="11"><style>.grid{stroke:#ddd}.one{stroke:#888}</style>'
        '<rect width="100%" height="100%" fill="#fff"/>'
    )
    Path(sys.argv[2]).write_text("\n".join([head, *body, "</svg>", ""]))
    for kind, encoders in kinds.items():
        reference = encoders[REFERENCE]
        for name, (ms, size) in encoders.items():
            print(f"{kind:10} {name:16} {ms:8.1f} ms {size:8} bytes {size / reference[1]:6.3f} {reference[0] / ms:6.1f}x")
    return 0


if __name__ == "__main__":
    sys.exit(main())
