// Lineage tiles: the colour of a pixel stands for the number of a source (src/terrain/lineage.rs). They are painted anew, in
// colours that can be told apart.

import { pixelsOf } from './pixels.js';

const NO_SOURCE = 255;
const FIRST = [[0, 100, 0], [50, 205, 50], [152, 251, 152], [34, 139, 34], [60, 179, 113], [144, 238, 144], [193, 255, 193]];

/** The colour that a tile has for a number. */
function stored(code) {
  if (code === NO_SOURCE) return [255, 255, 255];
  return FIRST[code] ?? [[37, 211], [91, 83], [7, 149]].map(([start, step]) => (start + step * code) % 251);
}

const pack = (r, g, b) => (r << 16) | (g << 8) | b;
const codes = new Map(Array.from({ length: 256 }, (_, code) => [pack(...stored(code)), code]).reverse());

/** The number that a colour of a tile stands for; undefined where it is none's. */
export const codeOf = (r, g, b) => codes.get(pack(r, g, b));

/** The tile as an image: `colors[code]` is `#rrggbb`. Pixels without a source, or of an unknown colour, are clear. */
export async function paint(blob, colors) {
  const pixels = await pixelsOf(blob);
  const { data } = pixels;
  const parsed = Object.fromEntries(Object.entries(colors).map(([code, hex]) => [code, Number.parseInt(hex.slice(1), 16)]));
  let last = -1;
  let color;
  for (let i = 0; i < data.length; i += 4) {
    const packed = pack(data[i], data[i + 1], data[i + 2]);
    if (packed !== last) {
      last = packed;
      color = parsed[codes.get(packed)];
    }
    const seen = color !== undefined;
    data[i] = seen ? color >> 16 : 0;
    data[i + 1] = seen ? (color >> 8) & 255 : 0;
    data[i + 2] = seen ? color & 255 : 0;
    data[i + 3] = seen ? 255 : 0;
  }
  return createImageBitmap(pixels);
}
