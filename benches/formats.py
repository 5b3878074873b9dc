#!/usr/bin/env python3
"""The same heights in other image formats: kilobytes and milliseconds a tile, as rows for RESULTS.md.

    hypso convert fuji.pmtiles -o fuji/                    # terrarium tiles as files, for each set
    python3 benches/formats.py fuji/:11-13 sample/:11-15   # FOLDER:FIRST-LAST zoom

Needs `pip install numpy imagecodecs`; the line below the table has the versions.

A tile's heights are whole numbers of steps of 2^(19 - zoom) / 256 m. Formats of 16 bits hold these numbers, less the least one of the tile, in
grey; LERC holds metres as float32, with an error of half a step at most. Every format but LERC is decoded again and must hold the
same pixels. Time is that of the processor, in this process, of one thread where the format lets one choose.
"""

import pathlib
import re
import sys
import time

import imagecodecs
import numpy


def tiles(text):
    """The zoom and the path of each tile that FOLDER:FIRST-LAST names."""
    folder, _, zooms = text.rpartition(":")
    first, last = (int(zoom) for zoom in zooms.split("-"))
    for zoom in range(first, last + 1):
        for path in sorted(pathlib.Path(folder, str(zoom)).glob("*/*.webp")):
            yield zoom, path


def lerc(compression):
    def encode(rgb, steps, metres, step):
        return imagecodecs.lerc_encode(metres, level=step / 2, compression=compression)

    def right(file, rgb, steps, metres, step):
        return numpy.abs(imagecodecs.lerc_decode(file).astype(float) - metres).max() <= step / 2 * 1.001
    return encode, right


def of_rgb(encode, decode):
    return (lambda rgb, steps, metres, step: encode(rgb),
            lambda file, rgb, steps, metres, step: numpy.array_equal(decode(file)[..., :3], rgb))


def of_grey(encode, decode):
    return (lambda rgb, steps, metres, step: encode(steps),
            lambda file, rgb, steps, metres, step: numpy.array_equal(decode(file), steps))


FORMATS = {
    "libwebp, method 4": of_rgb(lambda rgb: imagecodecs.webp_encode(rgb, lossless=True, level=75, method=4),
                                imagecodecs.webp_decode),
    "PNG, libpng, level 6": of_rgb(lambda rgb: imagecodecs.png_encode(rgb, level=6), imagecodecs.png_decode),
    "JPEG XL, effort 7, RGB": of_rgb(lambda rgb: imagecodecs.jpegxl_encode(rgb, lossless=True, effort=7, numthreads=1),
                                     imagecodecs.jpegxl_decode),
    "AVIF, lossless, RGB": of_rgb(lambda rgb: imagecodecs.avif_encode(rgb, level=100, speed=6, numthreads=1),
                                  imagecodecs.avif_decode),
    "LERC, half a step": lerc(None),
    "LERC, half a step, zstd": lerc("zstd"),
    "JPEG 2000, 16 bits of grey": of_grey(lambda grey: imagecodecs.jpeg2k_encode(grey, reversible=True, numthreads=1),
                                          imagecodecs.jpeg2k_decode),
    "JPEG XL, effort 7, 16 bits of grey": of_grey(
        lambda grey: imagecodecs.jpegxl_encode(grey, lossless=True, effort=7, numthreads=1), imagecodecs.jpegxl_decode),
}


def measured(text):
    """Sums of bytes and seconds by format, and how many tiles."""
    sums, number = {name: [0, 0.0, True] for name in ["hypso, as given", *FORMATS]}, 0
    for zoom, path in tiles(text):
        file = path.read_bytes()
        rgb = numpy.ascontiguousarray(imagecodecs.webp_decode(file)[..., :3])
        step = 2.0 ** (19 - zoom) / 256
        code = rgb.astype(numpy.int64) @ numpy.array([65536, 256, 1])
        steps = numpy.round((code - code.min()) / 256 / step).astype(numpy.int64)
        # 16 bits hold 65,536 steps; a tile beyond that says so.
        fits = steps.max() < 65536
        steps = steps.astype(numpy.uint16)
        metres = (code / 256 - 32768).astype(numpy.float32)
        number += 1
        sums["hypso, as given"][0] += len(file)
        for name, (encode, right) in FORMATS.items():
            if "grey" in name and not fits:
                sys.exit(f"{path}: more than 65,536 steps")
            started = time.process_time()
            other = encode(rgb, steps, metres, step)
            sums[name][1] += time.process_time() - started
            sums[name][0] += len(other)
            sums[name][2] &= bool(right(other, rgb, steps, metres, step))
    return sums, number


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    columns = []
    for text in sys.argv[1:]:
        sums, number = measured(text)
        if number == 0:
            sys.exit(f"{text}: no tiles; expected FOLDER:FIRST-LAST")
        columns.append((text, number, sums))
    print("| format |" + "".join(f" {text}, {number} tiles: kB | CPU ms |" for text, number, _ in columns))
    print("|---|" + "---|---|" * len(columns))
    for name in columns[0][2]:
        cells = ""
        for _, number, sums in columns:
            length, seconds, same = sums[name]
            cells += f" {length / 1000 / number:.1f}{'' if same else ' (other pixels!)'} |"
            cells += f" {seconds * 1000 / number:.0f} |" if seconds else " |"  # hypso's own time: cargo bench --bench encode
        print(f"| {name} |{cells}")
    used = "imagecodecs|numpy|libwebp|libpng|libjxl|libavif|lerc|zstd|openjpeg"
    print("\nVersions:", ", ".join(re.findall(rf"\b(?:{used})-[0-9.]+", imagecodecs.version())))


if __name__ == "__main__":
    main()
