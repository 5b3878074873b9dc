// A profile as a picture: distance against height, the sources below it, and a cursor that mouse, finger and keys move.

import { length, make, metres, number, step } from './format.js';

const W = 340;
const H = 170;
const EDGE = { left: 44, right: 8, top: 10, bottom: 34 };

/** Runs of points with a height: voids cut the line. */
function runs(points) {
  const out = [[]];
  for (const point of points) {
    if (point.elevation === null) out.push([]);
    else out.at(-1).push(point);
  }
  return out.filter((run) => run.length);
}

function scales(points) {
  const heights = points.map(({ elevation }) => elevation).filter((h) => h !== null);
  const [least, greatest] = heights.length ? [Math.min(...heights), Math.max(...heights)] : [0, 1];
  const pitch = step(Math.max(greatest - least, 4), 4);
  const [low, high] = [Math.floor(least / pitch) * pitch, Math.max(Math.ceil(greatest / pitch) * pitch, Math.floor(least / pitch) * pitch + pitch)];
  const far = points.at(-1).distance || 1;
  const x = (distance) => EDGE.left + (distance / far) * (W - EDGE.left - EDGE.right);
  const y = (height) => H - EDGE.bottom - ((height - low) / (high - low)) * (H - EDGE.top - EDGE.bottom);
  return { x, y, low, high, pitch, far };
}

function grid({ x, y, low, high, pitch, far }) {
  const parts = [];
  for (let h = low; h <= high + pitch / 2; h += pitch) {
    parts.push(make('line', { class: 'grid', x1: EDGE.left, x2: W - EDGE.right, y1: y(h), y2: y(h) }));
    parts.push(make('text', { x: EDGE.left - 5, y: y(h) + 3.5, 'text-anchor': 'end' }, number(h)));
  }
  const apart = step(far, 5.5);
  const digits = apart >= 1000 ? 0 : 1;
  for (let d = 0; x(d) < W - EDGE.right - 26; d += apart) {
    const text = far < 2000 ? number(d) : number(d / 1000, digits);
    parts.push(make('text', { x: x(d), y: H - 6, 'text-anchor': 'middle' }, text));
  }
  parts.push(make('text', { x: W - EDGE.right, y: H - 6, 'text-anchor': 'end', class: 'unit' }, far < 2000 ? 'm' : 'km'));
  return parts;
}

/** A strip below the line in the colours of the sources. */
function strip(points, { x }, colorOf) {
  const parts = [];
  let from = 0;
  for (let i = 1; i <= points.length; i++) {
    if (i < points.length && points[i].source === points[from].source) continue;
    const [a, b] = [x(points[from].distance), x(points[Math.min(i, points.length - 1)].distance)];
    if (points[from].source) parts.push(make('rect', { x: a, y: H - EDGE.bottom + 4, width: Math.max(b - a, 0.5), height: 4, fill: colorOf(points[from].source) }));
    from = i;
  }
  return parts;
}

function lines(points, { x, y, low }) {
  return runs(points).flatMap((run) => {
    const path = run.map(({ distance, elevation }) => `${x(distance).toFixed(1)} ${y(elevation).toFixed(1)}`).join('L');
    const [first, last] = [run[0], run.at(-1)].map(({ distance }) => x(distance).toFixed(1));
    return [
      make('path', { class: 'area', d: `M${first} ${y(low)}L${path}L${last} ${y(low)}Z` }),
      make('path', { class: 'line', d: `M${path}` }),
    ];
  });
}

const say = ({ distance, elevation, source }) =>
  [length(distance), metres(elevation), source].filter(Boolean).join(' · ');

/**
 * The chart of the points of a profile. `colorOf(source)` gives colours; `cursor(place or null)` hears where the cursor is.
 */
export function chart(points, { colorOf, cursor }) {
  const scale = scales(points);
  const rule = make('line', { class: 'rule', y1: EDGE.top, y2: H - EDGE.bottom, hidden: true });
  const dot = make('circle', { class: 'dot', r: 4.5 });
  const box = make('g', { class: 'cursor', visibility: 'hidden' }, rule, dot);
  const picture = make('svg', { viewBox: `0 0 ${W} ${H}`, 'aria-hidden': 'true' },
    ...grid(scale), ...lines(points, scale), ...strip(points, scale, colorOf), box);
  const read = make('output', { class: 'reading' }, '\u00a0');
  const frame = make('div', {
    class: 'chart', tabindex: 0, role: 'slider', 'aria-label': 'Profile: a place on the line', 'aria-valuemin': 0,
    'aria-valuemax': points.length - 1, 'aria-valuenow': 0, 'aria-valuetext': say(points[0]),
  }, picture);
  let now = 0;
  const move = (to) => {
    now = Math.min(points.length - 1, Math.max(0, to));
    const point = points[now];
    const [px, py] = [scale.x(point.distance), point.elevation === null ? H - EDGE.bottom : scale.y(point.elevation)];
    rule.setAttribute('x1', px);
    rule.setAttribute('x2', px);
    dot.setAttribute('cx', px);
    dot.setAttribute('cy', py);
    box.setAttribute('visibility', 'visible');
    frame.setAttribute('aria-valuenow', now);
    frame.setAttribute('aria-valuetext', say(point));
    read.textContent = say(point);
    cursor([point.lon, point.lat]);
  };
  const leave = () => {
    box.setAttribute('visibility', 'hidden');
    read.textContent = '\u00a0';
    cursor(null);
  };
  frame.addEventListener('pointermove', (event) => {
    const box = picture.getBoundingClientRect();
    const distance = (((event.clientX - box.left) / box.width) * W - EDGE.left) / (W - EDGE.left - EDGE.right) * scale.far;
    move(points.reduce((best, { distance: d }, i) => (Math.abs(d - distance) < Math.abs(points[best].distance - distance) ? i : best), 0));
  });
  frame.addEventListener('pointerleave', leave);
  frame.addEventListener('blur', leave);
  frame.addEventListener('keydown', (event) => {
    const far = Math.ceil(points.length / 10);
    const to = { ArrowLeft: now - 1, ArrowRight: now + 1, PageDown: now - far, PageUp: now + far, Home: 0, End: points.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    move(to);
  });
  return make('figure', {}, frame, read);
}
