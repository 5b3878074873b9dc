// Light, dark, or as the system has it. The choice is the reader's and stays in the browser, not in links.

const ORDER = ['auto', 'light', 'dark'];
const NAMES = { auto: 'as the system has them', light: 'light', dark: 'dark' };
const SIGNS = { auto: '◐', light: '☀', dark: '☾' };
const system = matchMedia('(prefers-color-scheme: dark)');

const stored = () => {
  try {
    return localStorage.getItem('hypso-theme');
  } catch {
    return null;
  }
};

export const isDark = () => {
  const chosen = document.documentElement.dataset.theme;
  return chosen === 'dark' || (chosen !== 'light' && system.matches);
};

/** Wires the button; `changed` is called whenever light turns to dark or back. */
export function startTheme(changed) {
  const button = document.getElementById('theme');
  const set = (theme) => {
    document.documentElement.dataset.theme = theme;
    button.textContent = SIGNS[theme];
    button.setAttribute('aria-label', `Colours: ${NAMES[theme]}`);
    button.title = `Colours: ${NAMES[theme]}`;
  };
  set(ORDER.includes(stored()) ? stored() : 'auto');
  button.addEventListener('click', () => {
    const next = ORDER[(ORDER.indexOf(document.documentElement.dataset.theme) + 1) % ORDER.length];
    set(next);
    try {
      localStorage.setItem('hypso-theme', next);
    } catch {
      // Nothing is kept then.
    }
    changed();
  });
  system.addEventListener('change', changed);
}
