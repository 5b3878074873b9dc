"""Reads single pixels and points of a file of heights with NumPy alone, from what docs/heights-format.md says.

    python3 examples/read_heights.py FILE --pixels Z/X/Y      all codes of a tile, row by row; null in voids
    python3 examples/read_heights.py FILE --points            heights of the lines LON,LAT on standard input, bilinear

Prints JSON, one value a line.
"""

import json
import math
import struct
import sys

import numpy as np

TYPES = {1: "<u1", 2: "<u2", 3: "<u4", 4: "<u8", 5: "<i4", 6: "<i8", 7: "<f4", 8: "<f8"}
COLUMN, BYTES = 1, 3


class Heights:
    def __init__(self, path):
        file = np.memmap(path, dtype="u1", mode="r")
        if bytes(file[:8]) != b"\x89HYPSO\r\n" or bytes(file[48:64]) != b"terrain-heights\0":
            sys.exit(f"{path}: holds no heights")
        (count,) = struct.unpack_from("<I", file, 24)
        self.sections = {}
        for at in range(128, 128 + 64 * count, 64):
            name, kind, element, codec = struct.unpack_from("<24sBBB", file, at)
            offset, length = struct.unpack_from("<QQ", file, at + 32)
            if element in TYPES and codec == 0:
                view = file[offset : offset + length].view(TYPES[element])
                self.sections[name.rstrip(b"\0").decode(), kind] = view
        column = lambda name: self.sections[name, COLUMN]
        self.scale, self.offset = (float(v) for v in column("coding"))
        self.size = int(column("tile.size")[0])
        self.along = -(-self.size // 16)
        self.first, self.rank = column("run.first"), column("run.rank")
        self.content, self.start, self.block = (column("height." + part) for part in ("content", "start", "block"))
        self.data = self.sections["height.data", BYTES]

    def content_of(self, z, x, y):
        """The content of a tile; None where there is no such tile."""
        id = tile_id(z, x, y)
        run = int(np.searchsorted(self.first, id, side="right")) - 1
        if run < 0:
            return None
        n = id - int(self.first[run])
        if n >= int(self.rank[run + 1]) - int(self.rank[run]):
            return None
        return int(self.content[int(self.rank[run]) + n])

    def code(self, content, x, y):
        """The code of a pixel of a content; None where it is void."""
        entry = int(self.block[content * self.along**2 + y // 16 * self.along + x // 16])
        kind = entry & 3
        if kind == 0:
            return None
        if kind == 1:
            return entry >> 2 & 0xFFFFFF
        at = int(self.start[content]) + (entry >> 2 & 0x3FFFFFF)
        base, cx, cy, cxy, cxx, cyy, *lifts = struct.unpack_from("<i5h4B", self.data, at)
        x, y, at = x % 16, y % 16, at + 18
        if kind == 3:
            if not int(self.data[at + (y * 16 + x) // 8]) >> (x % 8) & 1:
                return None
            at += 32
        widths = [entry >> 28 + 5 * quarter & 31 for quarter in range(4)]
        quarter = y // 8 * 2 + x // 8
        at += 8 * sum(widths[:quarter])
        bit = (y % 8 * 8 + x % 8) * widths[quarter]
        (word,) = struct.unpack_from("<Q", self.data, at + bit // 8)
        residual = word >> bit % 8 & (1 << widths[quarter]) - 1
        surface = ((x * cx + y * cy) * 32 + x * y * cxy + x * x * cxx + y * y * cyy) >> 10
        return base + surface + lifts[quarter] + residual << (entry >> 48 & 31)

    def pixel(self, z, x, y):
        """The code of a pixel of the world at a zoom, of the finest tile that covers it; None where it is void."""
        side = self.size << z
        if not 0 <= y < side:
            return None
        x %= side
        for up in range(z + 1):
            px, py = x >> up, y >> up
            content = self.content_of(z - up, px // self.size, py // self.size)
            if content is not None:
                return self.code(content, px % self.size, py % self.size)
        return None

    def at(self, lon, lat):
        """The height at a point, bilinear; None in a void and outside of the tiles."""
        if abs(lat) > 85.05112877980659:
            return None
        u = (lon + 180) / 360 % 1
        v = 0.5 - math.log(math.tan(math.pi / 4 + math.radians(lat) / 2)) / (2 * math.pi)
        for z in reversed(range(32)):
            side = self.size << z
            own = [min(int(t * side), side - 1) for t in (u, v)]
            content = self.content_of(z, own[0] // self.size, own[1] // self.size)
            if content is None:
                continue
            if self.code(content, own[0] % self.size, own[1] % self.size) is None:
                return None
            px, py = u * side - 0.5, v * side - 0.5
            left, top = math.floor(px), math.floor(py)
            sum_of, weights = 0.0, 0.0
            for dx, dy in ((0, 0), (1, 0), (0, 1), (1, 1)):
                code = self.pixel(z, left + dx, top + dy)
                if code is not None:
                    weight = (1 - abs(px - left - dx)) * (1 - abs(py - top - dy))
                    sum_of, weights = sum_of + weight * code, weights + weight
            return sum_of / weights * self.scale + self.offset
        return None


def tile_id(z, x, y):
    """The identifier of a tile, as the specification of PMTiles 3 counts them."""
    id, s = (4**z - 1) // 3, (1 << z) // 2
    while s > 0:
        rx, ry = int(x & s > 0), int(y & s > 0)
        id += s * s * (3 * rx ^ ry)
        if ry == 0:
            if rx == 1:
                x, y = s - 1 - x & 0xFFFFFFFF, s - 1 - y & 0xFFFFFFFF
            x, y = y, x
        s //= 2
    return id


def main(path, what, *rest):
    heights = Heights(path)
    if what == "--pixels":
        z, x, y = map(int, rest[0].split("/"))
        content = heights.content_of(z, x, y)
        pixels = range(heights.size)
        rows = [[heights.code(content, px, py) for px in pixels] for py in pixels] if content is not None else None
        print(json.dumps(rows))
    elif what == "--points":
        for line in sys.stdin:
            lon, lat = map(float, line.split(","))
            print(json.dumps(heights.at(lon, lat)))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(*sys.argv[1:]) if len(sys.argv) > 2 else sys.exit(__doc__)
