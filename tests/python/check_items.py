"""Readers and writers by others of what `hypso export` and `hypso build` call STAC-GeoParquet. Needs pyarrow; stac-geoparquet and pystac are used where
they are installed.

    check_items.py read ITEMS.parquet FOOTPRINTS.geojson    compares both exports of one store
    check_items.py write ITEMS.json FOLDER                  writes the items of a collection in many ways, and prints the files' names
"""

import json
import struct
import sys
from datetime import datetime, timezone

import pyarrow as pa
import pyarrow.parquet as pq

try:
    import stac_geoparquet.arrow as library
except ImportError:
    library = None


def corners(wkb):
    """The ring of a polygon in well-known binary."""
    order, kind, rings, points = struct.unpack_from("<BIII", wkb)
    assert (order, kind, rings) == (1, 3, 1) and len(wkb) == 13 + 16 * points, wkb
    numbers = struct.unpack_from(f"<{2 * points}d", wkb, 13)
    return [list(pair) for pair in zip(numbers[::2], numbers[1::2])]


def read(path, footprints):
    file = pq.ParquetFile(path)
    about = {key.decode(): json.loads(text) for key, text in file.schema_arrow.metadata.items() if not key.startswith(b"ARROW")}
    assert about["stac-geoparquet"] == {"version": "1.0.0"}, about
    geo = about["geo"]
    shape = geo["columns"][geo["primary_column"]]
    assert geo["version"] == "1.1.0" and shape["encoding"] == "WKB" and shape["geometry_types"] == ["Polygon"], geo
    assert shape["covering"]["bbox"] == {side: ["bbox", side] for side in ["xmin", "ymin", "xmax", "ymax"]}, geo
    rows = file.read().to_pylist()
    features = json.load(open(footprints))["features"]
    assert len(rows) == len(features) > 0
    west, south, east, north = shape["bbox"]
    for row, feature in zip(rows, features):
        known = feature["properties"]
        assert row["id"] == known.pop("id") and row["assets"]["data"]["href"] == known.pop("location")
        for name, value in known.items():
            found = row[f"hypso:{name}"]
            # Nodata is a text in tables, since not all of them know NaN.
            equal = float(found) == value if name == "nodata" and isinstance(value, float) else found == value
            assert equal, (name, value, found)
        ring = corners(row["geometry"])
        assert ring == feature["geometry"]["coordinates"][0], (ring, feature)
        (x0, y0), (x1, y1) = ring[0], ring[2]
        assert list(row["bbox"].values()) == [x0, y0, x1, y1] and list(row["bbox"]) == ["xmin", "ymin", "xmax", "ymax"]
        assert west <= x0 < x1 <= east and south <= y0 < y1 <= north
        assert row["proj:shape"] == [known["height"], known["width"]]
        assert (row["proj:code"] or row["proj:wkt2"]) == known["crs"]
        assert row["stac_version"] == "1.1.0" and row["links"] == [] and row["assets"]["data"]["roles"] == ["data"]
        changed = datetime.fromtimestamp(known["modified_ns"] // 10**9, timezone.utc)
        assert row["datetime"].replace(microsecond=0) == changed, (row["datetime"], changed)
        assert 0 < row["gsd"] <= known["pixel_size"]
        assert row["assets"]["data"].get("nodata") in (None, known["nodata"])
    if library is not None:
        read_as_items(path, len(rows))


def read_as_items(path, count):
    import pystac

    items = list(library.stac_table_to_items(pq.read_table(path)))
    assert len(items) == count
    # Each takes some milliseconds.
    for item in items[:: 1 + count // 100]:
        # The schemas of extensions are not at hand without a network.
        item["stac_extensions"] = []
        pystac.Item.from_dict(item).validate()


def row_of(item, as_text):
    """An item as stac-geoparquet has it: properties at the top, the box as a structure."""
    properties = item["properties"]
    row = {key: value for key, value in item.items() if key not in ("properties", "geometry", "bbox")}
    row["geometry"] = struct.pack("<BIdd", 1, 1, *item["bbox"][:2])
    row["bbox"] = dict(zip(["xmin", "ymin", "xmax", "ymax"], item["bbox"]))
    row.update(properties)
    row["datetime"] = datetime.fromisoformat(properties["datetime"].replace("Z", "+00:00"))
    if as_text:
        row["assets"], row["links"] = json.dumps(item["assets"]), json.dumps(item["links"])
    return row


def write(items, folder):
    items = json.load(open(items))["features"]
    table = pa.Table.from_pylist([row_of(item, False) for item in items])
    texts = pa.Table.from_pylist([row_of(item, True) for item in items])
    ways = {
        "snappy": {},
        "zstd": {"compression": "zstd", "data_page_version": "2.0"},
        "gzip": {"compression": "gzip", "use_dictionary": False, "row_group_size": 3},
        "brotli": {"compression": "brotli", "use_dictionary": False, "data_page_version": "2.0", "write_page_index": True},
        "none": {"compression": "none", "data_page_size": 1, "use_compliant_nested_type": False},
        "delta": {"use_dictionary": False, "column_encoding": {"id": "DELTA_BYTE_ARRAY"}, "store_decimal_as_integer": True},
    }
    for name, options in ways.items():
        pq.write_table(table, f"{folder}/{name}.parquet", **options)
        print(f"{name}.parquet")
    pq.write_table(texts, f"{folder}/texts.geoparquet")
    print("texts.geoparquet")
    pq.write_table(table, f"{folder}/lz4.bad", compression="lz4")
    if library is not None:
        library.to_parquet(library.parse_stac_items_to_arrow(items), f"{folder}/library.parquet")
        print("library.parquet")


if __name__ == "__main__":
    {"read": read, "write": write}[sys.argv[1]](*sys.argv[2:])
