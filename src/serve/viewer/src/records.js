// Footprints of the files in view, page by page, up to a number that a map can show.

import { getJson, routes } from './routes.js';

const MOST = 400;

/** Features of the records in `box`, and whether there are more. */
export async function recordsIn(set, box, colorOf, signal) {
  const features = [];
  let cursor = null;
  do {
    const page = await getJson(routes.recordsIn(set.id, box, cursor), signal);
    for (const { geometry, properties } of page.features) {
      const name = String(properties.path ?? '').split('/').at(-1);
      features.push({ type: 'Feature', geometry, properties: { name, color: colorOf(properties.source) } });
    }
    cursor = page.next;
  } while (cursor && features.length < MOST);
  return { features, more: Boolean(cursor) };
}
