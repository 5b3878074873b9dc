// Heights of a tile, without the pixels that its mask marks as empty.

import contours from 'maplibre-contour';
import { maskBits, maskChunk } from './mask.js';
import { pixelsOf } from './pixels.js';

/** Heights in metres of a tile's file, NaN where it has none; all NaN for an empty file. */
export async function heights(blob, encoding) {
  if (blob.size === 0) return { width: 512, height: 512, data: new Float32Array(512 * 512).fill(NaN) };
  const [pixels, payload] = await Promise.all([pixelsOf(blob), blob.arrayBuffer().then(maskChunk)]);
  const { width, height } = pixels;
  const tile = contours.decodeParsedImage(width, height, encoding, pixels.data);
  const bits = payload && (await maskBits(payload, width, height));
  const row = Math.ceil(width / 8);
  for (let i = 0; i < tile.data.length; i++) {
    const x = i % width;
    const masked = bits && !((bits[((i - x) / width) * row + (x >> 3)] >> (7 - (x & 7))) & 1);
    if (masked || pixels.data[4 * i + 3] === 0) tile.data[i] = NaN;
  }
  return tile;
}
