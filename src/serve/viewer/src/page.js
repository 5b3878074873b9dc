// Parts of the page around the map: the panel that folds, and the map's own errors in words.

import { tell } from './errors.js';
import { detailOf } from './routes.js';

/** Says what the map could not do. A tile that fails says which part it is of and what the server answered. */
export async function failedTile({ error, sourceId }) {
  const names = { dem: 'Tiles of heights', 'dem-3d': 'Tiles of heights', contours: 'Contours', lineage: 'Lineage' };
  const about = names[sourceId] ?? 'The map';
  if (!error || error.name === 'AbortError') return;
  if (error.status === undefined) return tell(about, error);
  const text = error.body instanceof Blob ? await error.body.text() : '';
  tell(about, new Error(detailOf(error.status, text)));
}

export function startFold() {
  const button = document.getElementById('fold');
  const panel = document.getElementById('panel');
  const set = (open) => {
    panel.classList.toggle('folded', !open);
    button.setAttribute('aria-expanded', String(open));
    button.textContent = open ? '▾' : '▴';
  };
  button.addEventListener('click', () => set(panel.classList.contains('folded')));
  set(true);
}
