// The chosen tool, the places that it was given, its form and its answer.

import { make, rounded } from './format.js';
import { TOOLS } from './tools.js';

const $ = (id) => document.getElementById(id);

/** Wires the tools. `page` has `draw(features)`, `goTo(place)` and `changed()`. */
export function startToolbox(page) {
  const box = { tool: 'height', places: [], set: null, colorOf: () => '#64748b', options: { eye: 1.7, target: 0 }, wanted: null };
  const tool = () => TOOLS[box.tool];

  const draw = () => page.draw(tool().features(box.places));
  const form = () => $('form').replaceChildren(...tool().fields(box.places, box.options));
  const cursor = (place) => page.draw([...tool().features(box.places), ...(place
    ? [{ type: 'Feature', properties: { role: 'cursor' }, geometry: { type: 'Point', coordinates: place } }] : [])]);

  async function run() {
    box.wanted?.abort();
    box.wanted = new AbortController();
    const { signal } = box.wanted;
    draw();
    page.changed();
    if (!box.set) return;
    const missing = !box.set[tool().needs];
    if (missing || !box.places.length) {
      const text = missing ? 'This dataset has no heights that the server can be asked for.' : tool().start;
      return $('result').replaceChildren(make('p', { class: 'note' }, text));
    }
    try {
      const answer = await tool().run(box.set, box.places, box.options, { signal, colorOf: box.colorOf, draw: page.draw, cursor });
      if (!signal.aborted) $('result').replaceChildren(...answer);
    } catch (error) {
      if (error.name === 'AbortError') return;
      $('result').replaceChildren(make('p', { class: 'error' }, error.message));
    }
  }

  /** Takes places, all of them; the form shows them. */
  function take(places) {
    box.places = places.slice(0, tool().most).map(rounded);
    form();
    run();
  }

  function choose(name, places = []) {
    box.tool = name;
    document.querySelector(`#tools input[value=${name}]`).checked = true;
    take(places);
  }

  $('tools').addEventListener('change', (event) => choose(event.target.value, box.places.slice(0, TOOLS[event.target.value].most)));
  $('form').addEventListener('submit', (event) => {
    event.preventDefault();
    try {
      const fields = event.target.elements;
      if (tool().options) box.options = tool().options(fields);
      take(tool().read(fields));
      if (box.places.length) page.goTo(box.places.at(-1));
    } catch (error) {
      $('result').replaceChildren(make('p', { class: 'error' }, error.message));
    }
  });

  return {
    choose, take,
    get tool() { return box.tool; },
    get places() { return box.places; },
    /** A place of the map: a tool that has all its places starts anew. */
    add: (place) => take(tool().most === 1 || box.places.length >= tool().most ? [place] : [...box.places, place]),
    removeLast: () => take(box.places.slice(0, -1)),
    clear: () => take([]),
    /** Another dataset; tools that it can't serve are disabled. */
    offer(set, colorOf) {
      Object.assign(box, { set, colorOf });
      for (const radio of $('tools').querySelectorAll('input')) {
        radio.disabled = !set[TOOLS[radio.value].needs];
        radio.parentElement.title = radio.disabled ? 'This dataset has no heights' : '';
      }
    },
  };
}
