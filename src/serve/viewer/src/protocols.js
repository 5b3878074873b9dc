// The map's own protocols, `hypso-contours:` and `hypso-lineage:`, whose tiles a worker makes.

import { AJAXError, addProtocol } from 'maplibre-gl';

let worker;
let next = 0;
const waiting = new Map();

function start() {
  worker = new Worker(new URL(TILES_WORKER, import.meta.url), { type: 'module' });
  worker.onmessage = ({ data: { id, data, problem } }) => {
    const answer = waiting.get(id);
    waiting.delete(id);
    if (problem) answer?.reject(new AJAXError(problem.status, problem.message, answer.url, new Blob([problem.message])));
    else answer?.resolve(data);
  };
  worker.onerror = (event) => {
    for (const { reject } of waiting.values()) reject(new Error(event.message ?? 'the worker for tiles ended'));
    waiting.clear();
  };
}

function ask(request, url, abort) {
  if (!worker) start();
  const id = ++next;
  return new Promise((resolve, reject) => {
    waiting.set(id, { resolve, reject, url });
    abort.signal.addEventListener('abort', () => {
      waiting.delete(id);
      worker.postMessage({ id, abort: true });
      reject(new DOMException('the tile is no longer needed', 'AbortError'));
    });
    worker.postMessage({ id, ...request });
  });
}

/** Contour distances by zoom of the map, metres: thin and thick lines. */
const DISTANCES = [[0, 1000, 5000], [8, 500, 2500], [9, 200, 1000], [11, 100, 500], [12, 50, 250], [13, 20, 100], [14, 10, 50], [16, 5, 25]];
const distances = (zoom) => DISTANCES.findLast(([from]) => zoom >= from).slice(1);

const place = (url) => url.split('://')[1].split('/').slice(-3).map(Number);

/** What the protocols need to know of the dataset that is shown. */
let dem = null;
let lineage = null;
export const useDem = (options) => (dem = options);
export const useLineage = (options) => (lineage = options);

export function addProtocols() {
  addProtocol('hypso-contours', async ({ url }, abort) => {
    const [z, x, y] = place(url);
    return { data: await ask({ kind: 'contours', dem, z, x, y, levels: distances(z) }, url, abort) };
  });
  addProtocol('hypso-lineage', async ({ url }, abort) => {
    const [z, x, y] = place(url);
    const tile = lineage.url.replace('{z}', z).replace('{x}', x).replace('{y}', y);
    return { data: await ask({ kind: 'lineage', url: tile, colors: lineage.colors }, tile, abort) };
  });
}
