// Datasets: what the catalogue and a TileJSON say, in the form that the viewer works with.

import { sourceColor } from './relief.js';
import { getJson, routes } from './routes.js';

const ENCODINGS = ['terrarium', 'mapbox'];
const MOST = 1000;

/** All entries of the catalogue, page by page; `each(entries)` is called for every page. */
export async function catalog(each) {
  let cursor = null;
  let count = 0;
  do {
    const page = await getJson(routes.catalog(cursor));
    each(page.datasets);
    count += page.datasets.length;
    cursor = page.next;
  } while (cursor && count < MOST);
}

function tilesOf(id, json) {
  return {
    url: routes.tiles(id, json.format ?? 'webp'), encoding: json.encoding, tileSize: json.tileSize ?? 512,
    minzoom: json.minzoom ?? 0, maxzoom: json.maxzoom ?? 22,
  };
}

function lineageOf(id, json) {
  const sources = (json.legend ?? []).map(({ code, name }, i) => ({ code, name, color: sourceColor(i) }));
  return {
    url: routes.lineage(id), minzoom: json.minzoom ?? 0, maxzoom: json.maxzoom ?? 22, tileSize: json.tileSize ?? 512, sources,
    colors: Object.fromEntries(sources.map(({ code, color }) => [code, color])),
  };
}

/**
 * A dataset: `tiles` and `lineage` or null, `bounds` or null, and what can be asked of it: `elevation`, `profile`, `sight`,
 * `stats`, `records`. `problem` is why there are no tiles where the catalogue names some.
 */
export async function dataset(entry) {
  const { id } = entry;
  const has = (part) => entry.parts.includes(part);
  const heights = Boolean(entry.elevation);
  const result = {
    id, name: entry.name || id, bounds: entry.bounds ?? null, attribution: '', tiles: null, lineage: null,
    elevation: heights, profile: heights, sight: heights, stats: heights,
    records: Boolean(entry.records) || has('store'), problem: null,
  };
  if (!has('tiles')) return result;
  const json = await getJson(routes.tilejson(id));
  result.attribution = json.attribution ?? '';
  result.bounds ??= json.bounds ?? null;
  if (ENCODINGS.includes(json.encoding)) result.tiles = tilesOf(id, json);
  else result.problem = json.encoding ? `The map can't draw tiles of encoding ${json.encoding}.` : 'The map can\'t draw these tiles: they don\'t say how they hold heights.';
  if (json.lineage) result.lineage = lineageOf(id, json.lineage);
  return result;
}

/** The colour of a source in all layers: that of the legend, else one by order of appearance. */
export function colorsOfSources(shown) {
  const known = new Map((shown.lineage?.sources ?? []).map(({ name, color }) => [name, color]));
  return (name) => {
    if (!name) return '#64748b';
    if (!known.has(name)) known.set(name, sourceColor(known.size));
    return known.get(name);
  };
}
