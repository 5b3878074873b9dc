// The three tools: a height, a profile, a sight. Each has a form, asks the server, and shows its answer. No value comes from the
// map's own terrain, which is exaggerated and coarser.

import { chart } from './chart.js';
import { facts, length, make, metres, number, position } from './format.js';
import { readPlaces } from './permalink.js';
import { getJson, getOfLine, routes } from './routes.js';

const SAMPLES = 256;

const input = (label, attributes, value) => {
  const field = make('input', { type: 'text', required: true, ...attributes });
  field.value = value;
  return make('label', { class: 'field' }, make('span', {}, label), field);
};
const placeInput = (label, name, place) =>
  input(label, { name, placeholder: 'longitude, latitude', inputmode: 'decimal', spellcheck: 'false' }, place ? position(place) : '');
const submit = (text) => make('button', { type: 'submit' }, text);
const hint = (text) => make('p', { class: 'note' }, text);

const point = (coordinates, role, label) =>
  ({ type: 'Feature', properties: { role, ...(label && { label }) }, geometry: { type: 'Point', coordinates } });
const line = (coordinates, role) => ({ type: 'Feature', properties: { role }, geometry: { type: 'LineString', coordinates } });

/** A typed place, or an error that says what is wrong with it. */
function parse(text) {
  const places = readPlaces(text.trim().replace(/[\s,;]+/g, ','));
  if (places.length !== 1) throw new Error(`"${text}" is no place; write longitude, latitude in degrees, as 139.05, 34.2`);
  return places[0];
}

const swatch = (color) => {
  const sign = make('i', { class: 'swatch', 'aria-hidden': 'true' });
  if (color) sign.style.background = color;
  return sign;
};
const sourceOf = (name, colorOf) => (name ? make('span', {}, swatch(colorOf(name)), name) : 'not known');

/** Height, source and file of a place: the file is the first that covers it and is of that source. */
async function height(set, [place], _, { signal, colorOf }) {
  const [answer, covered] = await Promise.all([
    getJson(routes.elevation(set.id, place), signal),
    set.records ? getJson(routes.recordsAt(set.id, place), signal) : null,
  ]);
  const features = covered?.features ?? [];
  const own = features.find(({ properties }) => properties.source === answer.source) ?? (answer.source ? null : features[0]);
  const others = features.length - (own ? 1 : 0);
  const rows = [
    ['Source', sourceOf(answer.source, colorOf), 'source'],
    set.records && ['File', own ? own.properties.path : 'none covers this place', 'file'],
    set.records && others > 0 && ['Also covered by', `${number(others)} ${others === 1 ? 'file' : 'files'}`],
    answer.zoom !== null && answer.zoom !== undefined && ['Zoom', String(answer.zoom), 'zoom'],
    answer.resolution && ['Resolution', metres(answer.resolution, answer.resolution < 10 ? 2 : 1), 'resolution'],
    ['Place', position(place)],
  ];
  return [
    make('p', { class: 'big', 'data-value': 'elevation' }, answer.elevation === null ? 'No data here' : metres(answer.elevation, 2)),
    facts(rows),
  ];
}

const coarser = (zoom) => ['Zoom', `${zoom} at most, because the line is long`];

async function profile(set, places, _, { signal, colorOf, cursor }) {
  if (places.length < 2) return [hint(places.length ? 'Now the next place of the line.' : '')];
  const { answer, zoom } = await getOfLine(routes.profile(set.id, places, SAMPLES), signal);
  return [
    chart(answer.points, { colorOf, cursor }),
    facts([
      ['Length', length(answer.length), 'length'],
      ['Climb', metres(answer.climb, 0), 'climb'],
      ['Descent', metres(answer.descent, 0), 'descent'],
      ['Least', metres(answer.least), 'least'],
      ['Greatest', metres(answer.greatest), 'greatest'],
      ['Samples', `${answer.points.length}, every ${metres(answer.length / Math.max(1, answer.points.length - 1), 1)} or so`],
      zoom && coarser(zoom),
    ]),
  ];
}

async function sight(set, places, { eye, target }, { signal, draw }) {
  if (places.length < 2) return [hint(places.length ? 'Now the place to look at.' : '')];
  const { answer: { visible, blocked }, zoom } = await getOfLine(routes.sight(set.id, places, { eye, target }), signal);
  const role = visible === null ? 'unknown' : visible ? 'visible' : 'hidden';
  draw([line(places, role), point(places[0], 'eye', 'Eye'), point(places[1], 'target', 'Target'),
    ...(blocked ? [point([blocked.lon, blocked.lat], 'blocked', 'Blocked here')] : [])]);
  const words = { visible: 'Visible', hidden: 'Hidden', unknown: 'Not known: there is no data on the way' };
  const rows = blocked ? [
    ['Blocked after', length(blocked.distance), 'blocked-distance'],
    ['Ground there', metres(blocked.ground), 'blocked-ground'],
    ['Above the line', metres(blocked.above), 'blocked-above'],
    ['Blocked at', position([blocked.lon, blocked.lat])],
  ] : [];
  return [make('p', { class: `big ${role}`, 'data-value': 'visible' }, words[role]), facts([...rows, zoom && coarser(zoom)])];
}

/** A tool: how many places it takes, what a dataset must offer, its form, what it draws, and how it asks. */
export const TOOLS = {
  height: {
    most: 1, needs: 'elevation', run: height,
    fields: ([place]) => [placeInput('Place', 'place', place), submit('Show height')],
    read: (form) => [parse(form.place.value)],
    features: (places) => places.map((place) => point(place, 'place')),
    start: 'Click on the map, or type a place.',
  },
  profile: {
    most: 60, needs: 'profile', run: profile,
    fields: (places) => {
      const area = make('textarea', { name: 'places', rows: Math.min(6, Math.max(2, places.length + 1)), required: true, spellcheck: 'false', placeholder: 'longitude, latitude: one place a line' });
      area.value = places.map(position).join('\n');
      return [make('label', { class: 'field tall' }, make('span', {}, 'Line'), area), submit('Show profile')];
    },
    read: (form) => form.places.value.split('\n').filter((row) => row.trim()).map(parse),
    features: (places) => [...(places.length > 1 ? [line(places, 'line')] : []), ...places.map((place) => point(place, 'place'))],
    start: 'Click the places of a line, or type them.',
  },
  sight: {
    most: 2, needs: 'sight', run: sight,
    fields: ([from, to], { eye, target }) => [
      placeInput('From', 'from', from), placeInput('To', 'to', to),
      make('div', { class: 'pair' },
        input('Eye above ground, m', { name: 'eye', inputmode: 'decimal', class: 'short' }, String(eye)),
        input('Target above ground, m', { name: 'target', inputmode: 'decimal', class: 'short' }, String(target))),
      submit('Look'),
    ],
    read: (form) => [parse(form.from.value), parse(form.to.value)],
    options: (form) => {
      const numbers = [form.eye.value, form.target.value].map((text) => (text.trim() === '' ? NaN : Number(text)));
      if (!numbers.every((n) => Number.isFinite(n) && n >= 0)) throw new Error('heights above ground are numbers of metres, from 0 on');
      return { eye: numbers[0], target: numbers[1] };
    },
    features: (places) => [...(places.length > 1 ? [line(places, 'unknown')] : []), ...places.map((place, i) => point(place, i ? 'target' : 'eye', i ? 'Target' : 'Eye'))],
    start: 'Click the eye, then what it looks at, or type both.',
  },
};
