// The mask of a partly valid tile: a chunk `hyMK` in its image file (src/terrain/mask.rs).

const name = (view, at) => String.fromCharCode(...[0, 1, 2, 3].map((i) => view.getUint8(at + i)));

/** The payload of the chunk `hyMK` of a WebP or PNG file, or null. */
export function maskChunk(buffer) {
  const view = new DataView(buffer);
  if (buffer.byteLength < 12) return null;
  const webp = name(view, 0) === 'RIFF';
  // WebP: name, length, payload padded to even. PNG: length, name, payload, checksum.
  let at = webp ? 12 : 8;
  while (at + 8 <= buffer.byteLength) {
    const length = view.getUint32(webp ? at + 4 : at, webp);
    if (at + 8 + length > buffer.byteLength) return null;
    if (name(view, webp ? at : at + 4) === 'hyMK') return buffer.slice(at + 8, at + 8 + length);
    at += webp ? 8 + length + (length & 1) : 12 + length;
  }
  return null;
}

/** The bits of a mask: rows padded to bytes, most significant first, 1 = valid. Null where it is of another form or size. */
export async function maskBits(payload, width, height) {
  const view = new DataView(payload);
  if (payload.byteLength < 9 || view.getUint8(0) !== 1) return null;
  if (view.getUint32(1, true) !== width || view.getUint32(5, true) !== height) return null;
  const stream = new Blob([payload.slice(9)]).stream().pipeThrough(new DecompressionStream('deflate'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
