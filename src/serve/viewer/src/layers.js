// The switches of the layers.

import { make } from './format.js';

const LAYERS = [
  ['relief', 'Relief', ({ tiles }) => tiles, 'no tiles'],
  ['shade', 'Shading', ({ tiles }) => tiles, 'no tiles'],
  ['contours', 'Contours', ({ tiles }) => tiles, 'no tiles'],
  ['lineage', 'Sources', ({ lineage }) => lineage, 'no lineage'],
  ['files', 'Files', ({ records }) => records, 'no store'],
  ['3d', '3D', ({ tiles }) => tiles, 'no tiles'],
];

/** Builds the switches over the set `chosen`; `changed(name, on)` hears of each. */
export function startLayers(chosen, changed) {
  const rows = new Map(LAYERS.map(([name, label, has, reason]) => {
    const box = make('input', { type: 'checkbox', name, checked: chosen.has(name), change: () => change(name, box.checked) });
    const note = make('small');
    return [name, { box, note, has, reason, row: make('label', {}, box, make('span', {}, label), note) }];
  }));
  function change(name, on) {
    chosen[on ? 'add' : 'delete'](name);
    changed(name, on);
  }
  document.getElementById('layers').replaceChildren(...[...rows.values()].map(({ row }) => row));
  return {
    note: (name, text) => (rows.get(name).note.textContent = text),
    /** Sets all switches, as a link says. */
    set(names) {
      for (const [name, { box }] of rows) {
        if (box.checked === names.includes(name)) continue;
        box.checked = !box.checked;
        change(name, box.checked);
      }
    },
    /** Disables what a dataset has not, and says why. */
    offer(set) {
      for (const { box, row, note, has, reason } of rows.values()) {
        box.disabled = !has(set);
        row.title = box.disabled ? `This dataset has ${reason}` : '';
        note.textContent = box.disabled ? reason : '';
      }
    },
  };
}
