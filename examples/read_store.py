"""Reads a store with NumPy alone, from what store-format.md says.

    python3 examples/read_store.py STORE [--rows] [--box WEST,SOUTH,EAST,NORTH]
    python3 examples/read_store.py FILE --column NAME

Prints a JSON document: header, sections, and figures that the other sections give. With --rows it prints all records,
sources and tile runs as well, with --box the rows that share area with a box (EPSG:3857 metres). With --column it takes a file of any
schema and prints the rows of a ragged column in hexadecimal digits. Needs numpy; compressed texts need zstandard, and checksums need xxhash. Where one of them is
missing, a message on standard error says what was left out.
"""

import json
import struct
import sys

import numpy as np

try:
    import zstandard
except ImportError:
    zstandard = None
try:
    import xxhash
except ImportError:
    xxhash = None

MAGIC = bytes.fromhex("89 48 59 50 53 4f 0d 0a")
HEADER = struct.Struct("<8sHHIQIIQQ16s32s24sQ")
ENTRY = struct.Struct("<24sBBBBIQQQQ")
KINDS = {1: "column", 2: "offsets", 3: "bytes", 4: "blocks", 5: "tree", 6: "json", 7: "zstd dictionary"}
TYPES = {1: "<u1", 2: "<u2", 3: "<u4", 4: "<u8", 5: "<i4", 6: "<i8", 7: "<f4", 8: "<f8"}
CELLS = "unknown uint8 int8 uint16 int16 uint32 int32 uint64 int64 float32 float64".split()
BLOCK = 65536
WORLD = 40075016.68557849
SKIPPED = set()


def need(condition, problem):
    if not condition:
        sys.exit(f"{sys.argv[1]}: {problem}")


def checksum(data):
    if xxhash is None:
        SKIPPED.add("checksums: xxhash is missing")
        return None
    return xxhash.xxh3_64_intdigest(bytes(data))


def text(raw):
    return raw.split(b"\0", 1)[0].decode()


class Store:
    def __init__(self, path, schema_expected="terrain-records"):
        # One map; every section is a view of it.
        self.file = np.memmap(path, dtype="u1", mode="r")
        need(len(self.file) >= HEADER.size, "is cut off")
        (magic, major, minor, header_length, file_length, count, entry_length, table_offset,
         table_sum, schema, producer, _, header_sum) = HEADER.unpack(bytes(self.file[:HEADER.size]))
        need(magic == MAGIC, "is not a store")
        need(major == 1, f"has version {major}.{minor}; this reads 1.x")
        need(checksum(self.file[:120]) in (None, header_sum), "header checksum")
        need(file_length == len(self.file), "has another length than its header says")
        need((header_length, entry_length, table_offset) == (128, 64, 128) and count <= 4096, "table")
        need(schema_expected in (None, text(schema)), "is of another schema")
        table = self.file[128:128 + 64 * count]
        need(len(table) == 64 * count and checksum(table) in (None, table_sum), "table checksum")
        self.header = {"version": [major, minor], "producer": text(producer), "schema": text(schema)}
        self.entries, self.views = [], {}
        end = 128 + 64 * count
        for i in range(count):
            name, kind, element, codec, _, parameter, offset, length, elements, entry_sum = ENTRY.unpack_from(
                bytes(table), 64 * i)
            name = text(name)
            need(offset % 64 == 0 and end <= offset and offset + length <= file_length, f"{name} lies wrongly")
            end = offset + length
            if kind not in KINDS or element not in TYPES or codec not in (0, 1, 2):
                continue
            stored = self.file[offset:end]
            need(checksum(stored) in (None, entry_sum), f"{name}: checksum")
            if codec == 0:
                need(np.dtype(TYPES[element]).itemsize * elements == length, f"{name}: length")
                stored = stored.view(TYPES[element])
            else:
                need(parameter == (BLOCK if codec == 1 else 0), f"{name}: parameter")
            need((name, KINDS[kind]) not in self.views, f"{name} occurs twice")
            self.views[name, KINDS[kind]] = (stored, codec, elements)
            self.entries.append([name, KINDS[kind], elements])

    def column(self, name, kind="column"):
        need((name, kind) in self.views, f"{name} is missing")
        return self.views[name, kind][0]

    def ragged(self, name):
        """The texts of a ragged column; None where they are compressed and zstandard is missing."""
        rows = self.ragged_bytes(name)
        return rows and [row.decode() for row in rows]

    def ragged_bytes(self, name):
        """The rows of a ragged column; None where they are compressed and zstandard is missing."""
        offsets = self.column(name, "offsets")
        stored, codec, length = self.views[name, "bytes"]
        raw = bytes(stored)
        if codec != 0 and zstandard is None:
            SKIPPED.add(f"{name}: zstandard is missing")
            return None
        if codec == 2:
            starts, given = self.column(name, "blocks"), (name, "zstd dictionary") in self.views
            dictionary = zstandard.ZstdCompressionDict(bytes(self.column(name, "zstd dictionary"))) if given else None
            decoder, rows = zstandard.ZstdDecompressor(dict_data=dictionary), []
            need(len(starts) == len(offsets) and starts[-1] == len(raw) and offsets[-1] == length, f"{name}: blocks")
            for a, b, size in zip(starts, starts[1:], np.diff(offsets)):
                row = raw[int(a):int(b)]
                need(size <= 32768 * len(row), f"{name}: a row is too long")
                rows.append(row if len(row) == size else decoder.decompress(row, max_output_size=int(size)))
                need(len(rows[-1]) == size, f"{name}: a row has another length")
            return rows
        if codec == 1:
            blocks, decoder = self.column(name, "blocks"), zstandard.ZstdDecompressor()
            need(len(blocks) == -(-length // BLOCK) + 1 and blocks[0] == 0 and blocks[-1] == len(raw), f"{name}: blocks")
            raw = b"".join(decoder.decompress(raw[int(a):int(b)], max_output_size=BLOCK) for a, b in zip(blocks, blocks[1:]))
        need(len(raw) == length and offsets[0] == 0 and offsets[-1] == length, f"{name}: offsets")
        return [raw[int(a):int(b)] for a, b in zip(offsets, offsets[1:])]


def step(metres):
    return np.clip(np.floor((metres / WORLD + 0.5) * 4294967296.0), 0, 4294967295).astype("<u4")


def hilbert(x, y):
    y = 4294967295 - y
    d = 0
    for level in range(31, -1, -1):
        rx, ry = (x >> level) & 1, (y >> level) & 1
        d = d * 4 + ((3 * rx) ^ ry)
        low = 2**level - 1
        x, y = x & low, y & low
        if ry == 0:
            if rx == 1:
                x, y = low - x, low - y
            x, y = y, x
    return d


def tree_sizes(n):
    sizes, boxes = [], n
    while boxes > 0:
        nodes = -(-boxes // 16)
        sizes.insert(0, nodes)
        boxes = nodes if nodes > 1 else 0
    return sizes


def search(store, west, south, east, north):
    """Rows that share area with a box, by the R-tree and the exact columns."""
    edges = [store.column(f"record.{e}") for e in ("min_x", "min_y", "max_x", "max_y")]
    n = len(edges[0])
    sizes = tree_sizes(n)
    nodes = store.column("record.tree", "tree").reshape(-1, 4, 16)
    need(len(nodes) == sum(sizes), "record.tree: length")
    qw, qs, qe, qn = (int(step(np.float64(v))) for v in (west, south, east, north))
    current, first = ([0] if n else []), 0
    for level, size in enumerate(sizes):
        below = sizes[level + 1] if level + 1 < len(sizes) else n
        found = []
        for j in current:
            w, s, e, t = nodes[first + j]
            hits = (w <= qe) & (s <= qn) & (e >= qw) & (t >= qs)
            found += [16 * j + i for i in np.flatnonzero(hits).tolist() if 16 * j + i < below]
        current, first = found, first + size
    w, s, e, t = edges
    return [r for r in current if w[r] < east and west < e[r] and s[r] < north and south < t[r]]


def row_of(store, key):
    directory, keys = store.column("id.directory"), store.column("id.keys")
    bits = (len(directory) - 1).bit_length() - 1
    bucket = key >> (64 - bits) if bits else 0
    for i in range(int(directory[bucket]), int(directory[bucket + 1])):
        if int(keys[i]) == key:
            return int(store.column("id.rows")[i])
    return None


def last_not_above(keys, directory, key):
    """The position of the last key that is not above `key`, or -1, by the directory of 16 keys a node."""
    sizes, count = [], len(keys)
    while count > 16:
        count = -(-count // 16)
        sizes.insert(0, count)
    need(sum(sizes) == len(directory), "tile.directory has another length")
    if key < 0:
        return -1
    at, first = 0, 0
    for size in sizes + [len(keys)]:
        level = keys if size == len(keys) and first == len(directory) else directory[first:first + size]
        node = level[16 * at:16 * at + 16]
        at = 16 * at + int((node <= np.uint64(key)).sum()) - 1
        if at < 0:
            return -1
        first += size
    return at


def tile_runs(store):
    zooms, start = store.column("tile.zoom_runs"), store.column("tile.run_start")
    rank, lists = store.column("tile.run_rank"), store.column("tile.run_list")
    offsets, rows = store.column("tile.list", "offsets"), store.column("tile.list")
    if store.header["version"][1] >= 1:
        directory = store.column("tile.directory")
        for run in range(0, len(start), max(1, len(start) // 500)):
            found = [last_not_above(start, directory, int(start[run]) + more) for more in (0, -1)]
            need(found == [run, run - 1], f"tile.directory does not find run {run}: {found}")
    need(len(zooms) == 24 and int(zooms[23]) == len(start) == len(lists) == len(rank) - 1, "tile index")
    for z in range(23):
        for run in range(int(zooms[z]), int(zooms[z + 1])):
            entry = int(lists[run])
            yield z, int(start[run]), int(rank[run + 1] - rank[run]), rows[int(offsets[entry]):int(offsets[entry + 1])].tolist()


def main():
    if "--column" in sys.argv:
        rows = Store(sys.argv[1], None).ragged_bytes(sys.argv[sys.argv.index("--column") + 1])
        for message in sorted(SKIPPED):
            print(f"skipped {message}", file=sys.stderr)
        json.dump(rows and [row.hex() for row in rows], sys.stdout)
        print()
        return
    store = Store(sys.argv[1])
    column = store.column
    n, s = len(column("record.id")), len(column("source.records"))
    bounds = [column(f"record.{e}") for e in ("min_x", "min_y", "max_x", "max_y")]
    curve = [hilbert(int(x), int(y)) for x, y in zip(step((bounds[0] + bounds[2]) / 2), step((bounds[1] + bounds[3]) / 2))]
    runs = list(tile_runs(store))
    summary = {
        "header": store.header,
        "sections": store.entries,
        "records": n,
        "tile_size": int(column("store.parameters")[0]),
        "metadata": json.loads(bytes(column("store.metadata", "json")) if ("store.metadata", "json") in store.views else b"{}"),
        "extent": [float(bounds[0].min()), float(bounds[1].min()), float(bounds[2].max()), float(bounds[3].max())] if n else None,
        "hilbert_order": curve == sorted(curve),
        "ranks_are_a_permutation": sorted(column("record.rank").tolist()) == list(range(n)),
        "ids_found": all(row_of(store, int(key)) == row for row, key in enumerate(column("record.id"))),
        "tree_finds_all": sorted(search(store, -3e7, -3e7, 3e7, 3e7)) == list(range(n)),
        "tiles": [int(sum(length for z, _, length, _ in runs if z == zoom)) for zoom in range(23)],
    }
    query = [float(v) for v in sys.argv[sys.argv.index("--box") + 1].split(",")] if "--box" in sys.argv else None
    if query:
        summary["box"] = sorted(search(store, *query))
    if "--rows" in sys.argv:
        paths, crs = store.ragged("record.path"), store.ragged("crs.name")
        sources = {k: store.ragged(f"source.{k}") for k in ("name", "root", "attribution", "licence", "vertical_datum")}
        numbers = ("id rank native_zoom pixel_size width height source priority file_size modified").split()
        columns = {k: column(f"record.{k}").tolist() for k in numbers}
        number, is_set, kind = column("record.crs"), column("record.nodata_set"), column("record.data_type")
        summary["rows"] = [
            {
                **{k: v[i] for k, v in columns.items()},
                "bounds": [float(b[i]) for b in bounds],
                "path": paths and paths[i],
                "crs": crs and crs[int(number[i])],
                "nodata": float(column("record.nodata")[i]) if is_set[i] else None,
                "data_type": CELLS[kind[i]] if kind[i] < len(CELLS) else "unknown",
            }
            for i in range(n)
        ]
        summary["sources"] = [
            {**{k: v and v[i] for k, v in sources.items()}, "records": int(column("source.records")[i])} for i in range(s)
        ]
        summary["runs"] = runs
        if xxhash and paths:
            names = sources["name"]
            ids = (xxhash.xxh3_64_intdigest(f"{names[r['source']]}\0{r['path']}".encode()) for r in summary["rows"])
            summary["ids_are_hashes"] = all(i == r["id"] for i, r in zip(ids, summary["rows"]))
    for message in sorted(SKIPPED):
        print(f"skipped {message}", file=sys.stderr)
    json.dump(summary, sys.stdout)
    print()


if __name__ == "__main__":
    main()
