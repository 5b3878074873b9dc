// The map's style for a dataset. It names no glyphs and no sprites: texts are drawn with the fonts of the system.

import { reliefColors } from './relief.js';

export const PAPER = { light: '#dbe6ea', dark: '#15222c' };
const FONT = ['system-ui', 'sans-serif'];

const INK = {
  light: { line: '#6b5440', label: '#54402f', halo: 'rgba(255,255,255,0.75)', shadow: '#3b4a5a', light: '#ffffff', accent: '#5b7083', thin: 0.4, thick: 0.6 },
  dark: { line: '#cdbfae', label: '#e9dfd2', halo: 'rgba(10,16,22,0.8)', shadow: '#05080b', light: '#8da0ae', accent: '#0b1016', thin: 0.22, thick: 0.42 },
};

export const drawing = (features) => ({ type: 'FeatureCollection', features });

export const skyOf = (dark) => (dark
  ? { 'sky-color': '#0c1620', 'horizon-color': '#22313c', 'fog-color': '#1a2832', 'sky-horizon-blend': 0.7, 'horizon-fog-blend': 0.5, 'fog-ground-blend': 0.94 }
  : { 'sky-color': '#a9c8dc', 'horizon-color': '#edf3f4', 'fog-color': '#e6eef0', 'sky-horizon-blend': 0.7, 'horizon-fog-blend': 0.5, 'fog-ground-blend': 0.94 });

function contourLayers(ink, shown) {
  const major = ['==', ['get', 'level'], 1];
  const base = { source: 'contours', 'source-layer': 'contours' };
  return [
    { id: 'contours', type: 'line', ...base, filter: ['!', major], layout: shown('contours'),
      paint: { 'line-color': ink.line, 'line-width': 0.6, 'line-opacity': ink.thin } },
    { id: 'contours-major', type: 'line', ...base, filter: major, layout: shown('contours'),
      paint: { 'line-color': ink.line, 'line-width': 1.1, 'line-opacity': ink.thick } },
    { id: 'contour-labels', type: 'symbol', ...base, filter: major,
      layout: {
        ...shown('contours'), 'symbol-placement': 'line', 'symbol-spacing': 200, 'text-field': ['to-string', ['get', 'height']],
        'text-font': FONT, 'text-size': 10.5, 'text-padding': 4, 'text-max-angle': 60,
      },
      paint: { 'text-color': ink.label, 'text-halo-color': ink.halo, 'text-halo-width': 1.4 } },
  ];
}

function fileLayers(dark, shown) {
  const color = ['coalesce', ['get', 'color'], '#475569'];
  return [
    { id: 'files-fill', type: 'fill', source: 'files', layout: shown('files'), paint: { 'fill-color': color, 'fill-opacity': 0.06 } },
    { id: 'files-line', type: 'line', source: 'files', layout: shown('files'),
      paint: { 'line-color': color, 'line-width': 1.4, 'line-opacity': 0.9 } },
    { id: 'files-label', type: 'symbol', source: 'files', minzoom: 8,
      layout: { ...shown('files'), 'text-field': ['get', 'name'], 'text-font': FONT, 'text-size': 11, 'text-max-width': 20 },
      paint: { 'text-color': dark ? '#eef2f4' : '#1f2a2e', 'text-halo-color': dark ? '#10181e' : '#ffffff', 'text-halo-width': 1.4 } },
  ];
}

/** What tools draw: `role` says what a feature is. */
function drawnLayers() {
  const color = ['match', ['get', 'role'], 'visible', '#0f7b4b', 'hidden', '#c2321f', 'blocked', '#c2321f', '#2453c4'];
  const lines = ['==', ['geometry-type'], 'LineString'];
  const points = ['==', ['geometry-type'], 'Point'];
  const round = { 'line-cap': 'round', 'line-join': 'round' };
  return [
    { id: 'drawn-casing', type: 'line', source: 'drawn', filter: lines, layout: round, paint: { 'line-color': '#fff', 'line-width': 6, 'line-opacity': 0.85 } },
    { id: 'drawn-line', type: 'line', source: 'drawn', filter: lines, layout: round, paint: { 'line-color': color, 'line-width': 3 } },
    { id: 'drawn-point', type: 'circle', source: 'drawn', filter: points,
      paint: { 'circle-color': color, 'circle-radius': ['match', ['get', 'role'], 'blocked', 8, 'cursor', 7, 6], 'circle-stroke-color': '#fff', 'circle-stroke-width': 2.5 } },
    { id: 'drawn-label', type: 'symbol', source: 'drawn', filter: ['all', points, ['has', 'label']],
      layout: { 'text-field': ['get', 'label'], 'text-font': FONT, 'text-size': 12.5, 'text-allow-overlap': true,
        'text-anchor': ['match', ['get', 'role'], 'eye', 'bottom', 'blocked', 'top', 'left'],
        'text-offset': ['match', ['get', 'role'], 'eye', ['literal', [0, -0.8]], 'blocked', ['literal', [0, 0.8]], ['literal', [0.9, 0]]] },
      paint: { 'text-color': '#14202b', 'text-halo-color': '#fff', 'text-halo-width': 2 } },
  ];
}

/** The outline of a dataset of which nothing else can be drawn. */
const outline = ({ tiles, bounds }) => {
  if (tiles || !bounds) return drawing([]);
  const [w, s, e, n] = bounds;
  return drawing([{ type: 'Feature', properties: {}, geometry: { type: 'LineString', coordinates: [[w, s], [e, s], [e, n], [w, n], [w, s]] } }]);
};

/** The sources of a dataset's tiles. A missing tile is 404, for which the map shows the coarser one. */
function tileSources({ tiles, lineage, bounds, attribution }) {
  const sources = {};
  const common = { ...(bounds && { bounds }) };
  if (tiles) {
    const { url, encoding, tileSize, minzoom, maxzoom } = tiles;
    sources.dem = { type: 'raster-dem', tiles: [url], encoding, tileSize, minzoom, maxzoom, attribution, ...common };
    sources.contours = { type: 'vector', tiles: ['hypso-contours://tile/{z}/{x}/{y}'], minzoom: Math.min(8, maxzoom), maxzoom: maxzoom + 1, sparse: true, ...common };
  }
  if (lineage) {
    const { tileSize, minzoom, maxzoom } = lineage;
    sources.lineage = { type: 'raster', tiles: ['hypso-lineage://tile/{z}/{x}/{y}'], tileSize, minzoom, maxzoom, ...common };
  }
  return sources;
}

export function styleOf(dataset, { range, dark, layers, drawn, records }) {
  const ink = INK[dark ? 'dark' : 'light'];
  const shown = (name) => ({ visibility: layers.has(name) ? 'visible' : 'none' });
  const sources = {
    ...tileSources(dataset),
    outline: { type: 'geojson', data: outline(dataset) },
    files: { type: 'geojson', data: records },
    drawn: { type: 'geojson', data: drawn },
  };
  const shade = {
    'hillshade-method': 'combined', 'hillshade-illumination-direction': 315, 'hillshade-illumination-altitude': 45,
    'hillshade-exaggeration': dark ? 0.34 : 0.3, 'hillshade-shadow-color': ink.shadow, 'hillshade-highlight-color': ink.light,
    'hillshade-accent-color': ink.accent,
  };
  const painted = [{ id: 'paper', type: 'background', paint: { 'background-color': PAPER[dark ? 'dark' : 'light'] } }];
  if (dataset.tiles) {
    painted.push({ id: 'relief', type: 'color-relief', source: 'dem', layout: shown('relief'), paint: { 'color-relief-color': reliefColors(range, dark) } });
  }
  if (dataset.lineage) {
    painted.push({ id: 'lineage', type: 'raster', source: 'lineage', layout: shown('lineage'), paint: { 'raster-opacity': 0.62, 'raster-resampling': 'nearest' } });
  }
  if (dataset.tiles) {
    painted.push({ id: 'shade', type: 'hillshade', source: 'dem', layout: shown('shade'), paint: shade }, ...contourLayers(ink, shown));
  }
  painted.push({ id: 'outline', type: 'line', source: 'outline', paint: { 'line-color': ink.label, 'line-width': 1.5, 'line-dasharray': [3, 2] } });
  return { version: 8, sources, layers: [...painted, ...fileLayers(dark, shown), ...drawnLayers()] };
}
