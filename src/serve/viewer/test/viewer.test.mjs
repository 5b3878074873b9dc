// Tests of what needs no browser: `node --test src/serve/viewer/test/`.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { deflateSync } from 'node:zlib';
import { length, metres, rounded, step } from '../src/format.js';
import { codeOf } from '../src/lineage.js';
import { maskBits, maskChunk } from '../src/mask.js';
import { readHash, readPlaces, writeHash } from '../src/permalink.js';
import { landStops, reliefColors, sourceColor } from '../src/relief.js';
import { detailOf } from '../src/routes.js';

test('a link comes back as it was written', () => {
  const said = {
    view: { zoom: 11.25, center: [139.0123, 34.2], bearing: 20, pitch: 60 }, data: 'a b&c', layers: ['relief', '3d'], tool: 'sight', at: [[139, 34.2], [-0.000001, 90]],
  };
  const read = readHash(writeHash(said));
  assert.deepEqual(read, said);
  assert.equal(writeHash({ ...read }), writeHash(said));
  const flat = writeHash({ ...said, view: { ...said.view, bearing: 0, pitch: 0 }, at: [] });
  assert.match(flat, /^#map=11\.25\/34\.2\d*\/139\.0123\d*&data=a%20b%26c&layers=relief,3d&tool=sight$/);
});

test('a link that is damaged is read as far as it makes sense', () => {
  const nothing = { view: null, data: null, layers: null, tool: null, at: [] };
  for (const hash of ['', '#', '#x', '#map=1/2', '#map=a/b/c', '#map=3/95/0', '#map=3/0/999', '#tool=rm', '#data=%E0%A4%A', '#at=1;2,x;181,0', '#=&=']) {
    assert.deepEqual(readHash(hash), nothing, hash);
  }
  assert.deepEqual(readHash('#layers=').layers, [], 'no layer is also a choice');
  assert.deepEqual(readPlaces('139,34;;x,1;140,35;1,2,3'), [[139, 34], [140, 35]]);
});

test('numbers are written for people', () => {
  assert.equal(metres(1234.5), '1\u202f234.5 m');
  assert.equal(metres(null), 'no data');
  assert.equal(metres(-0.25, 2), '-0.25 m');
  assert.deepEqual([length(999), length(1000), length(123456)], ['999 m', '1.00 km', '123 km']);
  assert.deepEqual([step(10, 5), step(900, 4), step(0, 4) > 0], [2, 500, true]);
  assert.deepEqual(rounded([138.99999999, 34.1234567]), [139, 34.123457]);
});

test('the relief has rising heights and draws nothing at 0 m', () => {
  for (const range of [[0, 2188], [-400, -10], [500, 501], [0, 0], [-6000, 8848]]) {
    const stops = reliefColors(range, false).slice(3);
    const heights = stops.filter((_, i) => i % 2 === 0);
    assert.deepEqual(heights, [...heights].sort((a, b) => a - b), `${range}`);
    assert.equal(new Set(heights).size, heights.length, `${range}`);
    const clear = stops.filter((_, i) => i % 2 === 1 && stops[i] === 'rgba(0,0,0,0)');
    assert.equal(clear.length, 2);
    assert.ok(landStops(range, true).every(([height]) => Number.isFinite(height)));
  }
});

test('colours of sources differ', () => {
  const colors = Array.from({ length: 60 }, (_, n) => sourceColor(n));
  assert.equal(new Set(colors).size, 60);
  assert.ok(colors.every((color) => /^#[0-9a-f]{6}$/.test(color)));
});

test('the words of a problem document are taken, others not', () => {
  assert.equal(detailOf(404, '{"title":"Not Found","detail":"no dataset"}'), 'no dataset');
  assert.equal(detailOf(404, '{"title":"Not Found"}'), 'Not Found');
  assert.equal(detailOf(502, '<html>Bad gateway'), 'the server answered with status 502');
  assert.equal(detailOf(500, 'null'), 'the server answered with status 500');
});

const chunk = (name, payload, little) => {
  const length = Buffer.alloc(4);
  if (little) length.writeUInt32LE(payload.length);
  else length.writeUInt32BE(payload.length);
  const parts = little ? [Buffer.from(name), length, payload, Buffer.alloc(payload.length & 1)] : [length, Buffer.from(name), payload, Buffer.alloc(4)];
  return Buffer.concat(parts);
};
const buffer = (bytes) => bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);

test('the mask of a tile is found in WebP and PNG, and read', async () => {
  const sizes = Buffer.alloc(9);
  sizes[0] = 1;
  sizes.writeUInt32LE(9, 1);
  sizes.writeUInt32LE(9, 5);
  const bits = Buffer.from(Array.from({ length: 18 }, (_, i) => (i * 37) & 255));
  const payload = Buffer.concat([sizes, deflateSync(bits)]);
  const webp = Buffer.concat([Buffer.from('RIFF....WEBP'), chunk('VP8X', Buffer.alloc(10), true), chunk('VP8L', Buffer.alloc(7), true), chunk('hyMK', payload, true)]);
  const png = Buffer.concat([Buffer.from('89504e470d0a1a0a', 'hex'), chunk('IHDR', Buffer.alloc(13)), chunk('hyMK', payload), chunk('IEND', Buffer.alloc(0))]);
  for (const file of [webp, png]) {
    const found = maskChunk(buffer(file));
    assert.deepEqual(Buffer.from(found), payload);
    assert.deepEqual(Buffer.from(await maskBits(found, 9, 9)), bits);
    assert.equal(await maskBits(found, 8, 9), null, 'of another size');
    for (let cut = 0; cut < file.length - payload.length; cut += 3) assert.equal(maskChunk(buffer(file.subarray(0, cut))), null, `cut at ${cut}`);
  }
});

test('colours of lineage tiles stand for the numbers that the renderer writes', () => {
  const rust = readFileSync(new URL('../../../terrain/lineage.rs', import.meta.url), 'utf8');
  const first = JSON.parse(rust.match(/\[\[u8; 3\]; 7\] =\s*(\[.*?\]);/s)[1]);
  assert.deepEqual(first.map((color) => codeOf(...color)), [0, 1, 2, 3, 4, 5, 6]);
  const [starts, steps] = [1, 2].map((at) => rust.match(/\[\((\d+), (\d+)\), \((\d+), (\d+)\), \((\d+), (\d+)\)\]/).slice(1).map(Number).filter((_, i) => i % 2 === at - 1));
  for (const code of [7, 8, 100, 254]) assert.equal(codeOf(...starts.map((start, i) => (start + steps[i] * code) % 251)), code);
  assert.equal(codeOf(255, 255, 255), 255);
  assert.equal(codeOf(1, 2, 3), undefined);
});
