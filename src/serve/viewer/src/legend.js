// The legend: the tints of the relief, and the sources of the lineage.

import { make, number } from './format.js';
import { landStops } from './relief.js';

function tints(range, dark) {
  const stops = landStops(range, dark);
  const [from, to] = [stops[0][0], stops.at(-1)[0]];
  const colors = stops.map(([height, color]) => `${color} ${(((height - from) / (to - from)) * 100).toFixed(1)}%`);
  const bar = make('div', { class: 'tints', role: 'img', 'aria-label': `Tints from ${number(from)} to ${number(to)} metres` });
  bar.style.background = `linear-gradient(to right, ${colors.join(',')})`;
  const middle = Math.round((from + to) / 2);
  return [make('h2', {}, 'Height, m'), bar, make('div', { class: 'ends' }, ...[from, middle, to].map((h) => make('span', {}, number(h))))];
}

function sources(list) {
  return [make('h2', {}, 'Sources'), make('ul', { class: 'sources' }, ...list.map(({ name, color }) => {
    const sign = make('i', { class: 'swatch', 'aria-hidden': 'true' });
    sign.style.background = color;
    return make('li', {}, sign, name);
  }))];
}

/** Fills the legend with what is shown. */
export function fillLegend({ tiles, lineage }, layers, range, dark) {
  const parts = [];
  if (tiles && layers.has('relief')) parts.push(...tints(range, dark));
  if (lineage && (layers.has('lineage') || layers.has('files'))) parts.push(...sources(lineage.sources));
  document.getElementById('legend').replaceChildren(...parts);
}
