// The address after the `#`: position, dataset, layers, tool and places. It has numbers and fixed words, no words of a language.
//
//     #map=11.2/34.2/139[/bearing/pitch]&data=sample&layers=relief,shade&tool=profile&at=139,34.2;139.1,34.3

const numbers = (text, least) => {
  const parts = (text ?? '').split('/').map(Number);
  return parts.length >= least && parts.every(Number.isFinite) ? parts : null;
};

const inWorld = ([lon, lat]) => Math.abs(lon) <= 180 && Math.abs(lat) <= 90;

/** Places from `lon,lat;lon,lat`; what is no place is left out. */
export function readPlaces(text) {
  const pairs = (text ?? '').split(';').map((pair) => pair.split(',').map((n) => (n.trim() === '' ? NaN : Number(n))));
  return pairs.filter((pair) => pair.length === 2 && pair.every(Number.isFinite) && inWorld(pair));
}

export const writePlaces = (places) => places.map((place) => place.join(',')).join(';');

/** What a hash says; a field is null where the hash does not say it. */
export function readHash(hash) {
  const fields = new Map();
  for (const pair of hash.replace(/^#/, '').split('&')) {
    const cut = pair.indexOf('=');
    if (cut < 0) continue;
    try {
      fields.set(pair.slice(0, cut), decodeURIComponent(pair.slice(cut + 1)));
    } catch {
      // A broken percent code: as if the field were not there.
    }
  }
  const map = numbers(fields.get('map'), 3);
  const [zoom, lat, lon, bearing = 0, pitch = 0] = map ?? [];
  return {
    view: map && inWorld([lon, lat]) ? { zoom, center: [lon, lat], bearing, pitch } : null,
    data: fields.get('data') ?? null,
    layers: fields.has('layers') ? fields.get('layers').split(',').filter(Boolean) : null,
    tool: ['height', 'profile', 'sight'].includes(fields.get('tool')) ? fields.get('tool') : null,
    at: readPlaces(fields.get('at')),
  };
}

export function writeHash({ view, data, layers, tool, at }) {
  const turned = Math.abs(view.bearing) > 0.05 || view.pitch > 0.05 ? `/${view.bearing.toFixed(1)}/${view.pitch.toFixed(1)}` : '';
  const [lon, lat] = view.center;
  const digits = Math.min(6, Math.max(2, Math.ceil(view.zoom / 3) + 1));
  const parts = [`map=${view.zoom.toFixed(2)}/${lat.toFixed(digits)}/${lon.toFixed(digits)}${turned}`];
  if (data) parts.push(`data=${encodeURIComponent(data)}`);
  parts.push(`layers=${layers.join(',')}`, `tool=${tool}`);
  if (at.length) parts.push(`at=${writePlaces(at)}`);
  return `#${parts.join('&')}`;
}
