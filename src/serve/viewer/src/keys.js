// Keys while the map has the focus. The cross in its middle is the place that Enter takes.

let wired = false;

export function startKeys(view, toolbox) {
  if (wired || !view?.map) return;
  wired = true;
  const canvas = view.map.getCanvas();
  const cross = document.getElementById('cross');
  const focused = (on) => cross.classList.toggle('seen', on && canvas.matches(':focus-visible'));
  canvas.addEventListener('focus', () => focused(true));
  canvas.addEventListener('blur', () => focused(false));
  canvas.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const act = {
      Enter: () => toolbox.add(view.view.center),
      Backspace: () => toolbox.removeLast(),
      Escape: () => toolbox.clear(),
      h: () => toolbox.choose('height'),
      p: () => toolbox.choose('profile'),
      s: () => toolbox.choose('sight'),
    }[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!act) return;
    event.preventDefault();
    focused(true);
    act();
  });
}
