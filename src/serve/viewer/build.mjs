// Bundles src/ into the folder dist/ of the folder that is given, and writes the table of what is there, table.rs.
//
// Names hold a hash of the content, so that browsers may keep files for ever. Only gzip forms are kept: nearly all clients take
// them, and the server unpacks for the others.

import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const target = process.argv[2];
const dist = join(target, 'dist');
const TYPES = { js: 'text/javascript; charset=utf-8', css: 'text/css; charset=utf-8', svg: 'image/svg+xml', html: 'text/html; charset=utf-8', txt: 'text/plain; charset=utf-8' };
const COMMON = { bundle: true, minify: true, format: 'esm', target: 'es2022', legalComments: 'none', write: false, metafile: true, outdir: 'out', entryNames: '[name]-[hash]', chunkNames: '[name]-[hash]' };

const files = new Map();

/** Bundles entries; gives the name of the output for each input that is an entry of its own. */
async function bundle(entryPoints, options = {}) {
  const { outputFiles, metafile } = await build({ ...COMMON, entryPoints, ...options });
  for (const { path, contents } of outputFiles) files.set(basename(path), Buffer.from(contents));
  const entries = Object.entries(metafile.outputs).filter(([, output]) => output.entryPoint);
  return Object.fromEntries(entries.map(([path, output]) => [basename(output.entryPoint), basename(path)]));
}

/** The licences of a package and of what it depends on. */
function licences(name, seen = new Map()) {
  if (seen.has(name) || name.startsWith('@types/')) return seen;
  const folder = join('node_modules', name);
  const { version, license, dependencies = {} } = JSON.parse(readFileSync(join(folder, 'package.json')));
  const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
  const text = file ? readFileSync(join(folder, file), 'utf8').trim() : `Licence: ${license}`;
  seen.set(name, `${name} ${version} (${license})\n\n${text}\n`);
  Object.keys(dependencies).forEach((dependency) => licences(dependency, seen));
  return seen;
}

/** gzip that is the same on every system: without a time and without the system's name. */
function pack(bytes) {
  const packed = gzipSync(bytes, { level: 9 });
  packed.fill(0, 4, 8);
  packed[9] = 255;
  return packed;
}

const workers = await bundle(['src/tiles-worker.js', 'node_modules/maplibre-gl/dist/maplibre-gl-worker.mjs']);
const define = { TILES_WORKER: JSON.stringify(`./${workers['tiles-worker.js']}`), MAP_WORKER: JSON.stringify(`./${workers['maplibre-gl-worker.mjs']}`) };
const scripts = await bundle(['src/main.js'], { splitting: true, define });
const styles = await bundle(['src/shell.css', 'src/map.css']);
const hashed = (name, bytes) => name.replace('.', `-${createHash('sha256').update(bytes).digest('hex').slice(0, 8).toUpperCase()}.`);
const icon = readFileSync('src/icon.svg');
const texts = Buffer.from([...licences('maplibre-contour', licences('maplibre-gl')).values()].join(`\n${'-'.repeat(80)}\n\n`));
const plain = { 'icon.svg': hashed('icon.svg', icon), 'LICENSES.txt': hashed('LICENSES.txt', texts) };
files.set(plain['icon.svg'], icon);
files.set(plain['LICENSES.txt'], texts);

const names = { ...scripts, ...styles, ...plain };
const html = readFileSync('src/index.html', 'utf8').replace(/\{\{(.+?)\}\}/g, (_, name) => {
  if (!names[name]) throw new Error(`index.html names ${name}, which is not built`);
  return `assets/${names[name]}`;
});
files.set('index.html', Buffer.from(html));

rmSync(dist, { recursive: true, force: true });
mkdirSync(dist, { recursive: true });
const rows = [...files].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, bytes]) => {
  writeFileSync(join(dist, `${name}.gz`), pack(bytes));
  const etag = createHash('sha256').update(bytes).digest('hex').slice(0, 32);
  const fields = [`name: "${name}"`, `content_type: "${TYPES[name.split('.').pop()]}"`, `etag: "\\"${etag}\\""`, `gzip: include_bytes!("dist/${name}.gz")`, `length: ${bytes.length}`];
  return `    Asset {\n${fields.map((field) => `        ${field},\n`).join('')}    },\n`;
});
writeFileSync(join(dist, 'LICENSES.txt'), texts);
writeFileSync(join(target, 'table.rs'), `//! What the viewer consists of. Written by build.sh: change src/ and run it.

use super::Asset;

/// All files, in the order of their names.
pub(super) const ASSETS: [Asset; ${rows.length}] = [
${rows.join('')}];
`);
const total = [...files.values()].reduce((sum, bytes) => sum + pack(bytes).length, 0);
console.log(`${rows.length} files, ${total} bytes packed`);
