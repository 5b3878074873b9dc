"""Reads an archive of ours with the packages of others and compares it with a list of tiles.

usage: check_archives.py pmtiles|mbtiles ARCHIVE EXPECTED

EXPECTED holds the tiles one after another: z, x, y (XYZ) and length as little-endian u32, then the bytes.
"""

import hashlib
import json
import sqlite3
import struct
import sys


def expected_tiles(path):
    tiles = {}
    with open(path, "rb") as file:
        while head := file.read(16):
            z, x, y, length = struct.unpack("<4I", head)
            tiles[z, x, y] = digest(file.read(length))
    return tiles


def digest(data):
    return hashlib.sha256(data).hexdigest()


def check_pmtiles(path, tiles):
    """PyPI pmtiles: the header, each tile by address, and a walk of our own over every directory it can decode."""
    from pmtiles.reader import MmapSource, Reader
    from pmtiles.tile import Compression, deserialize_directory, deserialize_header, tileid_to_zxy

    with open(path, "rb") as file:
        get = MmapSource(file)
        reader = Reader(get)
        header = deserialize_header(get(0, 127))
        root_end = header["root_offset"] + header["root_length"]
        assert root_end <= 16384, root_end
        assert header["clustered"] is True, header
        assert header["internal_compression"] == Compression.GZIP, header

        found, offsets, entries, position, leaves = {}, set(), 0, 0, 0
        stack = [(header["root_offset"], header["root_length"], 0)]
        while stack:
            offset, length, depth = stack.pop()
            directory = deserialize_directory(get(offset, length))
            pointers = []
            for entry in directory:
                if entry.run_length == 0:
                    leaves += 1
                    assert entry.offset + entry.length <= header["leaf_directory_length"]
                    pointers.append((header["leaf_directory_offset"] + entry.offset, entry.length, depth + 1))
                    continue
                entries += 1
                assert entry.offset <= position, "clustered, but a gap before %d" % entry.tile_id
                position = max(position, entry.offset + entry.length)
                offsets.add(entry.offset)
                content = digest(get(header["tile_data_offset"] + entry.offset, entry.length))
                for tile_id in range(entry.tile_id, entry.tile_id + entry.run_length):
                    found[tileid_to_zxy(tile_id)] = content
            stack.extend(reversed(pointers))
        assert found == tiles, "tiles differ: %d found, %d expected" % (len(found), len(tiles))
        assert position == header["tile_data_length"], (position, header)
        counts = header["addressed_tiles_count"], header["tile_entries_count"], header["tile_contents_count"]
        assert counts == (len(tiles), entries, len(offsets)), (counts, len(tiles), entries, len(offsets))
        zooms = [z for z, _, _ in tiles]
        assert (header["min_zoom"], header["max_zoom"]) == (min(zooms), max(zooms)), header
        for n, (tile, content) in enumerate(sorted(tiles.items())):
            if n % 97 == 0:
                assert digest(reader.get(*tile)) == content, tile
        metadata = reader.metadata()
        assert metadata["encoding"] == "terrarium" and metadata["tileSize"] == 512, metadata
        assert metadata["name"] == "interop" and metadata["sources"] == ["a", "b"], metadata
    print("%d tiles, %d entries, %d leaf directories" % (len(tiles), entries, leaves))


def check_mbtiles(path, tiles):
    """PyPI pymbtiles for the tiles, sqlite3 for what it doesn't look at."""
    from pymbtiles import MBtiles

    with MBtiles(path) as archive:
        found = set()
        for tile in archive.list_tiles():
            found.add((tile.z, tile.x, (1 << tile.z) - 1 - tile.y))
        assert found == set(tiles), "tiles differ: %d found, %d expected" % (len(found), len(tiles))
        for (z, x, y), content in tiles.items():
            assert digest(archive.read_tile(z=z, x=x, y=(1 << z) - 1 - y)) == content, (z, x, y)
        meta = archive.meta
        zooms = [z for z, _, _ in tiles]
        assert (int(meta["minzoom"]), int(meta["maxzoom"])) == (min(zooms), max(zooms)), meta
        assert meta["format"] == "webp" and meta["encoding"] == "terrarium" and meta["tileSize"] == "512", meta
        assert json.loads(meta["sources"]) == ["a", "b"], meta
        west, south, east, north = map(float, meta["bounds"].split(","))
        assert -180 <= west < east <= 180 and -90 < south < north < 90, meta
    database = sqlite3.connect(path)
    assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert database.execute("PRAGMA application_id").fetchone() == (0x4D504258,)
    assert database.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    plan = database.execute(
        "EXPLAIN QUERY PLAN SELECT tile_data FROM tiles WHERE zoom_level=1 AND tile_column=1 AND tile_row=1"
    ).fetchall()
    assert "USING INDEX" in str(plan), plan
    print("%d tiles" % len(tiles))


if __name__ == "__main__":
    kind, archive_path, list_path = sys.argv[1:]
    {"pmtiles": check_pmtiles, "mbtiles": check_mbtiles}[kind](archive_path, expected_tiles(list_path))
