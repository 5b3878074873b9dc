// What went wrong, said in the page. Equal messages are counted, not repeated.

import { make } from './format.js';

const MOST = 4;
const shown = new Map();

/** Shows an error; `about` says what could not be done. The newest few stay. */
export function tell(about, error) {
  if (error?.name === 'AbortError') return;
  const text = `${about}: ${error?.message ?? error}`;
  const known = shown.get(text);
  if (known) {
    known.count += 1;
    known.badge.textContent = `${known.count}×`;
    return;
  }
  const badge = make('b', { class: 'count' });
  const drop = () => {
    shown.delete(text);
    row.remove();
  };
  const row = make('p', { class: 'error' }, make('span', {}, text), ' ', badge,
    make('button', { type: 'button', class: 'quiet', 'aria-label': 'Dismiss', click: drop }, '×'));
  shown.set(text, { count: 1, badge, drop });
  document.getElementById('errors').append(row);
  if (shown.size > MOST) [...shown.values()][0].drop();
}

export const forgetErrors = () => [...shown.values()].forEach(({ drop }) => drop());
