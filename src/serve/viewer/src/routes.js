// The server's addresses, in one place. All are relative to the page, so that the viewer works behind a proxy and below a
// path, and asks no other host than the one that it came from.

const at = (path) => new URL(path, document.baseURI.split('#')[0]).href;
const id = encodeURIComponent;

/** A place as addresses have it: longitude and latitude in degrees. */
const place = ([lon, lat]) => `${lon},${lat}`;

export const routes = {
  catalog: (cursor) => at(`catalog?limit=100${cursor ? `&cursor=${id(cursor)}` : ''}`),
  tilejson: (name) => at(`${id(name)}.json`),
  tiles: (name, extension) => `${at(`tiles/${id(name)}/`)}{z}/{x}/{y}.${extension}`,
  lineage: (name) => `${at(`lineage/${id(name)}/`)}{z}/{x}/{y}`,
  elevation: (name, [lon, lat]) => at(`elevation/${id(name)}?lon=${lon}&lat=${lat}`),
  profile: (name, places, samples) => at(`profile/${id(name)}?line=${places.map(place).join(';')}&samples=${samples}`),
  sight: (name, [from, to], { eye, target }) =>
    at(`sight/${id(name)}?from=${place(from)}&to=${place(to)}&eye=${eye}&target=${target}`),
  stats: (name, bounds, zoom) => at(`stats/${id(name)}?bbox=${bounds.join(',')}&max_zoom=${zoom}`),
  recordsAt: (name, point) => at(`stores/${id(name)}/records?point=${place(point)}&limit=20`),
  recordsIn: (name, box, cursor) =>
    at(`stores/${id(name)}/records?bbox=${box.join(',')}&limit=100${cursor ? `&cursor=${id(cursor)}` : ''}`),
};

/** What the server said about a request that failed: the `detail` of its problem document. */
export class ApiError extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

/** The sentence in a problem document, or the status where there is none. */
export function detailOf(status, text) {
  try {
    const problem = JSON.parse(text);
    if (problem.detail || problem.title) return problem.detail ?? problem.title;
  } catch {
    // Something between us and the server answered.
  }
  return `the server answered with status ${status}`;
}

/** The JSON document at an address. Throws an ApiError, or an AbortError where `signal` ended it. */
export async function getJson(url, signal) {
  let answer;
  try {
    answer = await fetch(url, { signal, headers: { accept: 'application/json, application/geo+json' } });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new ApiError(0, 'the server can\'t be reached; is it still running?');
  }
  if (!answer.ok) throw new ApiError(answer.status, detailOf(answer.status, await answer.text()));
  return answer.json();
}

/**
 * The answer about a line, and the zoom that it was cut to where the server finds the line too long for its finest one: it then
 * says which zoom it would take.
 */
export async function getOfLine(url, signal) {
  try {
    return { answer: await getJson(url, signal), zoom: null };
  } catch (error) {
    const zoom = error.status === 400 && error.message.match(/max_zoom=(\d+)/)?.[1];
    if (!zoom) throw error;
    return { answer: await getJson(`${url}&max_zoom=${zoom}`, signal), zoom };
  }
}
