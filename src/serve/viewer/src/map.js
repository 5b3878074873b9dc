// The map: its style for a dataset, its layers, what is drawn on it.

import { AttributionControl, Map as GlMap, NavigationControl, ScaleControl, setWorkerUrl } from 'maplibre-gl';
import { addProtocols, useDem, useLineage } from './protocols.js';
import { reliefColors } from './relief.js';
import { drawing, PAPER, skyOf, styleOf } from './style.js';

const DEFAULT_RANGE = [0, 3000];
/** Layers of the style behind each switch of the page. */
const BEHIND = {
  relief: ['relief'], shade: ['shade'], contours: ['contours', 'contours-major', 'contour-labels'], lineage: ['lineage'],
  files: ['files-fill', 'files-line', 'files-label'], '3d': [],
};

export class MapView {
  /** Starts the map in `container`; `events` has `moved`, `clicked(place)` and `failed(about, error)`. */
  constructor(container, events) {
    setWorkerUrl(new URL(MAP_WORKER, import.meta.url).href);
    addProtocols();
    this.container = container;
    this.events = events;
    this.layers = new Set();
    this.range = DEFAULT_RANGE;
    this.dark = false;
    this.drawn = drawing([]);
    this.records = drawing([]);
  }

  /** Shows a dataset: anew the first time, else in place of the one before. `view` is null for all of the dataset. */
  show(dataset, { view, layers, dark }) {
    Object.assign(this, { dataset, dark, range: DEFAULT_RANGE, records: drawing([]) });
    this.layers = new Set(layers);
    useDem(dataset.tiles && { url: dataset.tiles.url, encoding: dataset.tiles.encoding, maxzoom: dataset.tiles.maxzoom });
    useLineage(dataset.lineage);
    if (this.map) {
      this.restyle();
      if (view) this.map.jumpTo(view);
      else this.whole();
    } else {
      this.create(view);
    }
  }

  create(view) {
    const bounds = this.dataset.bounds;
    this.map = new GlMap({
      container: this.container, style: this.style(), attributionControl: false, maxPitch: 75, maxZoom: 20,
      ...(view ?? (bounds ? { bounds, fitBoundsOptions: { padding: this.padding() } } : { center: [0, 20], zoom: 1 })),
      fadeDuration: 150, locale: { 'Map.Title': 'Map: arrow keys move it, Enter takes the place under the cross' },
    });
    this.map.addControl(new NavigationControl({ visualizePitch: true }), 'top-right');
    this.map.addControl(new ScaleControl({ maxWidth: 110 }), 'bottom-right');
    this.map.addControl(new AttributionControl({ compact: true }), 'bottom-right');
    this.map.on('style.load', () => this.refill());
    this.map.on('moveend', () => this.events.moved());
    this.map.on('click', ({ lngLat }) => this.events.clicked(lngLat.wrap().toArray()));
    this.map.on('error', (event) => this.events.failed(event));
    this.map.getCanvas().style.cursor = 'crosshair';
  }

  /** Room for the panel, which lies over the map. */
  padding() {
    const panel = document.getElementById('panel').getBoundingClientRect();
    const beside = panel.width < innerWidth * 0.7;
    const [left, bottom] = beside ? [panel.right, 0] : [0, innerHeight - panel.top];
    return { top: 30, right: 50, left: left + 30, bottom: Math.min(bottom, innerHeight * 0.6) + 30 };
  }

  whole() {
    if (this.dataset.bounds) this.map.fitBounds(this.dataset.bounds, { padding: this.padding(), animate: false });
  }

  get view() {
    const [lon, lat] = this.map.getCenter().wrap().toArray();
    return { zoom: this.map.getZoom(), center: [lon, lat], bearing: this.map.getBearing(), pitch: this.map.getPitch() };
  }

  /** What is seen: west, south, east, north in degrees, inside of the world. */
  get box() {
    const [[w, s], [e, n]] = this.map.getBounds().toArray();
    if (e - w >= 360) return [-180, Math.max(s, -85), 180, Math.min(n, 85)];
    return [Math.max(w, -180), Math.max(s, -85), Math.min(e, 180), Math.min(n, 85)].map((v) => +v.toFixed(6));
  }

  style() {
    return styleOf(this.dataset, { range: this.range, dark: this.dark, layers: this.layers, drawn: this.drawn, records: this.records });
  }

  setLayer(name, on) {
    this.layers[on ? 'add' : 'delete'](name);
    if (!this.map) return;
    for (const layer of BEHIND[name]) {
      if (this.map.getLayer(layer)) this.map.setLayoutProperty(layer, 'visibility', on ? 'visible' : 'none');
    }
    if (name === '3d') this.terrain(true);
  }

  /** Switches the third dimension; `tilt` also leans the map. */
  terrain(tilt = false) {
    if (!this.dataset.tiles) return;
    const on = this.layers.has('3d');
    if (!on && !this.map.getTerrain()) return;
    if (on && !this.map.getSource('dem-3d')) this.map.addSource('dem-3d', this.style().sources.dem);
    this.map.setTerrain(on ? { source: 'dem-3d', exaggeration: 1.3 } : null);
    if (on) this.map.setSky(skyOf(this.dark));
    if (tilt) this.map.easeTo({ pitch: on ? 60 : 0, bearing: on ? this.map.getBearing() : 0, duration: this.still ? 0 : 600 });
  }

  get still() {
    return matchMedia('(prefers-reduced-motion: reduce)').matches;
  }

  setRange(range) {
    this.range = range;
    this.repaint();
  }

  setDark(dark) {
    this.dark = dark;
    if (this.map) this.restyle();
  }

  restyle() {
    this.map.setTerrain(null);
    this.map.setStyle(this.style(), { diff: false });
  }

  /** What a new style lacks: drawings that came while it was loaded, the third dimension. */
  refill() {
    this.map.getSource('drawn').setData(this.drawn);
    this.map.getSource('files').setData(this.records);
    this.repaint();
    this.terrain();
  }

  repaint() {
    if (!this.map) return;
    if (this.map.getLayer('relief')) this.map.setPaintProperty('relief', 'color-relief-color', reliefColors(this.range, this.dark));
    this.map.getContainer().style.background = PAPER[this.dark ? 'dark' : 'light'];
  }

  /** Draws the places and lines of a tool: GeoJSON features with `role`. */
  draw(features) {
    this.drawn = drawing(features);
    this.map?.getSource('drawn')?.setData(this.drawn);
  }

  setRecords(collection) {
    this.records = collection;
    this.map.getSource('files')?.setData(collection);
  }

  goTo(place) {
    if (this.map && !this.map.getBounds().contains(place)) this.map.easeTo({ center: place, duration: this.still ? 0 : 500 });
  }
}
