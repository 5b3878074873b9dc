// Numbers and places as people read them.

export const metres = (m, digits = 1) => (m === null || m === undefined ? 'no data' : `${number(m, digits)} m`);

export const number = (value, digits = 0) =>
  value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits }).replace(/,/g, '\u202f');

/** A length: metres up to a kilometre, then kilometres. */
export const length = (m) => (m < 1000 ? `${number(m)} m` : `${number(m / 1000, m < 1e5 ? 2 : 0)} km`);

/** A place as it is shown, asked for and linked: degrees with six decimals, a tenth of a metre. */
export const rounded = (place) => place.map((degrees) => +degrees.toFixed(6));

export const position = (place) => rounded(place).join(', ');

/** A step of 1, 2 or 5 times a power of ten, of which about `count` fit into `span`. */
export function step(span, count) {
  const rough = Math.max(span, 1e-9) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  return power * ([1, 2, 5].find((f) => f * power >= rough) ?? 10);
}

/** An element with attributes and children: texts or elements. Texts stay texts, whatever a file's name holds. */
export function make(name, attributes = {}, ...children) {
  const spaces = { svg: 1, g: 1, path: 1, line: 1, text: 1, rect: 1, circle: 1 };
  const element = spaces[name]
    ? document.createElementNS('http://www.w3.org/2000/svg', name)
    : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === 'function') element.addEventListener(key, value);
    else if (value !== undefined && value !== null && value !== false) element.setAttribute(key, value === true ? '' : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** A list of names and values. */
export const facts = (rows) =>
  make('dl', { class: 'facts' }, ...rows.filter(Boolean).map(([name, value, id]) =>
    make('div', {}, make('dt', {}, name), make('dd', id ? { 'data-value': id } : {}, value))));
