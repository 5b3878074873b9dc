// Work on pixels, beside the page: contours from tiles of heights, colours from tiles of lineage.
//
// A request is `{id, kind, …}`; its answer `{id, data}` or `{id, problem: {status, message}}`. `{id, abort: true}` ends one.

import contours from 'maplibre-contour';
import { heights } from './heights.js';
import { paint } from './lineage.js';

const running = new Map();
const managers = new Map();

class HttpError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function bytesOf(url, signal) {
  const answer = await fetch(url, { signal });
  if (!answer.ok) throw new HttpError(answer.status, await answer.text());
  return answer.blob();
}

/** A tile that does not exist is one without heights: contours end there. */
async function tileOrNothing(url, abort) {
  try {
    return { data: await bytesOf(url, abort.signal) };
  } catch (error) {
    if (error.status === 404) return { data: new Blob([]) };
    throw error;
  }
}

function managerOf({ url, encoding, maxzoom }) {
  const key = `${url} ${encoding} ${maxzoom}`;
  if (!managers.has(key)) {
    managers.set(key, new contours.LocalDemManager({
      demUrlPattern: url, encoding, maxzoom, cacheSize: 60, timeoutMs: 30000, getTile: tileOrNothing, decodeImage: heights,
    }));
  }
  return managers.get(key);
}

/** A vector tile of contours; 404 where its own tile of heights does not exist, so that the map takes the coarser one. */
async function contourTile({ dem, z, x, y, levels }, abort) {
  const manager = managerOf(dem);
  const overzoom = 1;
  const shift = z - Math.max(0, Math.min(z - overzoom, dem.maxzoom));
  const own = await manager.fetchTile(z - shift, x >> shift, y >> shift, abort);
  if (own.data.size === 0) throw new HttpError(404, 'no tile');
  const options = { levels, overzoom, contourLayer: 'contours', elevationKey: 'height', levelKey: 'level' };
  return (await manager.fetchContourTile(z, x, y, options, abort)).arrayBuffer;
}

const KINDS = {
  contours: contourTile,
  lineage: async ({ url, colors }, abort) => paint(await bytesOf(url, abort.signal), colors),
};

self.onmessage = async ({ data: request }) => {
  const { id } = request;
  if (request.abort) return running.get(id)?.abort();
  const abort = new AbortController();
  running.set(id, abort);
  try {
    const data = await KINDS[request.kind](request, abort);
    self.postMessage({ id, data }, [data]);
  } catch (error) {
    self.postMessage({ id, problem: { status: error?.status ?? 0, message: String(error?.message ?? error) } });
  } finally {
    running.delete(id);
  }
};
