// The page: what is shown, what the reader does, and the link that brings it back. The map's code is loaded beside this.

import { catalog, colorsOfSources, dataset } from './datasets.js';
import { forgetErrors, tell } from './errors.js';
import { startKeys } from './keys.js';
import { startLayers } from './layers.js';
import { fillLegend } from './legend.js';
import { failedTile, startFold } from './page.js';
import { readHash, writeHash } from './permalink.js';
import { recordsIn } from './records.js';
import { getJson, routes } from './routes.js';
import { isDark, startTheme } from './theme.js';
import { startToolbox } from './toolbox.js';
import { drawing } from './style.js';

const $ = (id) => document.getElementById(id);
const DEFAULT_LAYERS = ['relief', 'shade', 'contours'];

const asked = readHash(location.hash);
const entries = new Map();
const state = { set: null, layers: new Set(asked.layers ?? DEFAULT_LAYERS), range: [0, 3000] };
let map = null;
let colorOf = () => '#64748b';
let written = '';
let filesWanted = null;
let wantedSet = null;

/** The page is painted before the map's code, which is forty times as long, is run. */
const painted = new Promise((done) => {
  new PerformanceObserver(done).observe({ type: 'paint', buffered: true });
  setTimeout(done, 500);
});
const mapCode = painted.then(() => import('./map.js'));

const toolbox = startToolbox({
  draw: (features) => map?.draw(features),
  goTo: (place) => map?.goTo(place),
  changed: () => link(),
});
toolbox.choose(asked.tool ?? 'height', asked.at);

const layers = startLayers(state.layers, (name, on) => {
  map?.setLayer(name, on);
  legend();
  files();
  link();
});

function legend() {
  if (state.set) fillLegend(state.set, state.layers, state.range, isDark());
}

/** Writes what is shown into the address, without a new entry in the history. */
function link() {
  if (!map?.map || !state.set) return;
  written = writeHash({ view: map.view, data: state.set.id, layers: [...state.layers], tool: toolbox.tool, at: toolbox.places });
  history.replaceState(null, '', written);
}

/** Fetches the footprints in view, where they are shown. */
async function files() {
  filesWanted?.abort();
  if (!map?.map || !state.set.records) return;
  if (!state.layers.has('files')) return layers.note('files', '');
  filesWanted = new AbortController();
  try {
    const { features, more } = await recordsIn(state.set, map.box, colorOf, filesWanted.signal);
    map.setRecords(drawing(features));
    layers.note('files', more ? `the first ${features.length} here` : `${features.length} here`);
  } catch (error) {
    tell('Files in view', error);
  }
}

/** Tints over the heights that there are, as a coarse zoom has them; without an answer the common range stays. */
async function tints(set) {
  if (!set.stats || !set.bounds || !set.tiles) return;
  const [west, , east] = set.bounds;
  const zoom = Math.floor(Math.log2(360 / ((east - west + 360) % 360 || 360))) + 2;
  const { least, greatest } = await getJson(routes.stats(set.id, set.bounds, Math.max(0, Math.min(zoom, set.tiles.maxzoom))));
  if (state.set !== set || least === null || least === undefined) return;
  state.range = [least, greatest];
  map.setRange(state.range);
  legend();
}

async function show(entry, { view, at }) {
  forgetErrors();
  wantedSet = entry.id;
  const set = await dataset(entry);
  const { MapView } = await mapCode;
  if (wantedSet !== entry.id) return;
  Object.assign(state, { set, range: [0, 3000] });
  colorOf = colorsOfSources(set);
  $('dataset').value = set.id;
  document.title = `${set.name} · hypso`;
  $('about').textContent = set.problem ?? '';
  layers.offer(set);
  toolbox.offer(set, colorOf);
  try {
    map ??= new MapView($('map'), { moved, clicked: toolbox.add, failed: (event) => failedTile(event) });
    map.show(set, { view, layers: state.layers, dark: isDark() });
    map.map.once('idle', ready);
    files();
  } catch (error) {
    const missing = /webgl/i.test(error.message);
    tell('The map', missing ? new Error('this browser has no WebGL 2, so nothing can be drawn; typed places still get their answers') : error);
    ready();
  }
  startKeys(map, toolbox);
  legend();
  toolbox.take(at);
  tints(set).catch((error) => tell('The range of heights', error));
}

function ready() {
  $('busy').hidden = true;
  document.documentElement.dataset.ready = 'true';
  performance.mark('hypso-idle');
}

function moved() {
  link();
  files();
}

const choose = (id, options) => {
  const entry = entries.get(id);
  if (!entry) return tell('Dataset', new Error(`${id} is not served here`));
  return show(entry, options).catch((error) => tell(`Dataset ${id}`, error));
};

/** Fills the list of datasets; shows the one that the link names, else the first. */
async function start() {
  $('dataset').replaceChildren();
  await catalog((page) => {
    for (const entry of page) {
      entries.set(entry.id, entry);
      const option = document.createElement('option');
      Object.assign(option, { value: entry.id, textContent: entry.name || entry.id });
      $('dataset').append(option);
    }
    if (!state.set && !start.begun && page.length && (!asked.data || entries.has(asked.data))) {
      start.begun = true;
      choose(asked.data ?? page[0].id, asked);
    }
  });
  $('dataset').disabled = entries.size < 2;
  if (start.begun) return;
  $('busy').hidden = true;
  if (entries.size) tell('Dataset', new Error(`${asked.data} is not served here; choose another one`));
  else $('about').textContent = 'No dataset is served yet.';
}

$('dataset').addEventListener('change', (event) => choose(event.target.value, { view: null, at: [] }));
$('link').addEventListener('click', async () => {
  link();
  try {
    await navigator.clipboard.writeText(location.href);
    $('link').textContent = 'Copied';
  } catch {
    $('link').textContent = 'It is in the address bar';
  }
  setTimeout(() => ($('link').textContent = 'Copy link'), 2000);
});
addEventListener('hashchange', () => {
  if (location.hash === written || !map?.map) return;
  const wanted = readHash(location.hash);
  layers.set(wanted.layers ?? DEFAULT_LAYERS);
  toolbox.choose(wanted.tool ?? 'height', wanted.at);
  if (wanted.data && wanted.data !== state.set.id) choose(wanted.data, wanted);
  else if (wanted.view) map.map.jumpTo(wanted.view);
});
startFold();
startTheme(() => {
  map?.setDark(isDark());
  legend();
});
start().catch((error) => {
  $('busy').hidden = true;
  tell('The catalogue', error);
});
performance.mark('hypso-shell');
