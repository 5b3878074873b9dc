"""A made-up world: 349,525 tiles of 3 kB of noise, zooms 0 to 9, 1 GB."""

import os
import sqlite3


def make(path):
    """Writes it as MBTiles."""
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE metadata (name text, value text)")
    database.execute("CREATE TABLE tiles (zoom_level integer, tile_column integer, tile_row integer, tile_data blob)")
    database.executemany("INSERT INTO metadata VALUES (?, ?)", [("name", "noise"), ("format", "bin")])
    places = ((z, x, y) for z in range(10) for x in range(1 << z) for y in range(1 << z))
    database.executemany("INSERT INTO tiles VALUES (?, ?, ?, ?)", ((*place, os.urandom(3000)) for place in places))
    database.execute("CREATE UNIQUE INDEX place ON tiles (zoom_level, tile_column, tile_row)")
    database.commit()
    database.close()
