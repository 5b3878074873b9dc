// Hypsometric tints, and colours for sources.

const LAND = {
  light: ['#9dbf93', '#c3d2a0', '#e6dfb4', '#dcc08c', '#c09a72', '#b5a59a', '#f6f5f4'],
  dark: ['#2c4a3c', '#48603f', '#6d6a45', '#7d6444', '#77594a', '#7c716c', '#b9bcc0'],
};
const SEA = {
  light: [[-6000, '#6f9fbd'], [-1000, '#93bad0'], [-100, '#b5d0de'], [-0.02, '#cadde5']],
  dark: [[-6000, '#0b1a28'], [-1000, '#12273a'], [-100, '#193145'], [-0.02, '#1e3950']],
};
/** Where in the range a tint begins: more of them for low land, where most of it lies. */
const place = (i) => (i / (LAND.light.length - 1)) ** 1.4;

/** Tints from the lowest to the highest land of a dataset: `[metres, colour]`. */
export function landStops([least, greatest], dark) {
  const from = Math.max(0, least);
  const span = Math.max(50, greatest - from);
  return LAND[dark ? 'dark' : 'light'].map((color, i) => [from + span * place(i), color]);
}

/**
 * The expression of a colour-relief layer. Nothing is drawn at exactly 0 m: tiles write that where there is no data. What is
 * below the lowest land of the dataset has the lowest tint.
 */
export function reliefColors(range, dark) {
  const land = landStops(range, dark);
  const stops = [...SEA[dark ? 'dark' : 'light'], [-0.01, 'rgba(0,0,0,0)'], [0.01, 'rgba(0,0,0,0)'], [0.02, land[0][1]]];
  stops.push(...land.filter(([height]) => height > 0.02));
  return ['interpolate', ['linear'], ['elevation'], ...stops.flat()];
}

/** Colours that people with any colour vision tell apart (Okabe and Ito, 2008); black is left out. */
const APART = ['#0072b2', '#e69f00', '#009e73', '#cc79a7', '#d55e00', '#56b4e9', '#f0e442'];

/** The colour of the n-th source; beyond the first seven, hues are a golden angle apart. */
export function sourceColor(n) {
  if (n < APART.length) return APART[n];
  const hue = (n * 137.508) % 360;
  const channel = (k) => {
    const at = (k + hue / 30) % 12;
    return Math.round(255 * (0.52 - 0.34 * Math.max(-1, Math.min(at - 3, 9 - at, 1)))).toString(16).padStart(2, '0');
  };
  return `#${channel(0)}${channel(8)}${channel(4)}`;
}
