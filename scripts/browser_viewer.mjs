#!/usr/bin/env node
// Opens the viewer in headless Chromium and does what readers do; compares what the page says with what the server says.
//
//     scripts/browser_viewer.mjs --hypso target/release/hypso --out target/viewer-test
//
// `make viewer-test` builds what is needed. Pictures are left in --out. With --server URL a running server is asked, whose first
// dataset must be the sample. Exit code 1 where something is not as it should be; where there is no Chromium, nothing is tested
// and the reason is printed.

import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

const { values: args } = parseArgs({ options: {
  hypso: { type: 'string', default: 'target/release/hypso' }, out: { type: 'string', default: 'target/viewer-test' },
  server: { type: 'string' }, browser: { type: 'string' }, packages: { type: 'string', default: 'target/viewer' }, '3d': { type: 'boolean', default: false },
} });
const BROWSERS = ['chromium', 'chromium-browser', 'google-chrome', 'chromium-headless-shell'];
const FLAGS = ['--no-sandbox', '--use-gl=angle', '--use-angle=swiftshader', '--enable-unsafe-swiftshader', '--ignore-gpu-blocklist', '--disable-dev-shm-usage'];
const out = resolve(args.out);

const onPath = (name) => process.env.PATH.split(':').map((folder) => join(folder, name)).find(existsSync);
const browserPath = args.browser ?? BROWSERS.map(onPath).find(Boolean);

/** The sample's tiles, lineage, heights and store, made once. */
function sample() {
  const data = join(out, 'data');
  const at = (name) => join(data, name);
  if (existsSync(at('sample.heights'))) return data;
  mkdirSync(data, { recursive: true });
  const hypso = (...command) => execFileSync(args.hypso, ['--progress', 'none', ...command], { stdio: ['ignore', 'ignore', 'inherit'] });
  const rasters = join(out, 'rasters');
  hypso('sample', '-o', rasters, '--overwrite');
  hypso('build', '-o', at('sample.hypso'), '--config', join(rasters, 'hypso.toml'), '--overwrite');
  hypso('aggregate', at('sample.hypso'), '-o', at('sample.pmtiles'), '--lineage', '--overwrite');
  renameSync(at('sample-lineage.pmtiles'), at('sample.lineage.pmtiles'));
  hypso('convert', at('sample.pmtiles'), '-o', at('sample.heights'), '--lineage', at('sample.lineage.pmtiles'), '--overwrite');
  return data;
}

/** Starts the server on a free port; gives its address and the process. */
function serve(data) {
  const files = ['pmtiles', 'lineage.pmtiles', 'heights', 'hypso'].map((end) => join(data, `sample.${end}`));
  const child = spawn(args.hypso, ['serve', ...files, '--listen', '127.0.0.1:0'], { stdio: ['ignore', 'ignore', 'pipe'] });
  return new Promise((found, failed) => {
    let said = '';
    child.stderr.on('data', (text) => {
      said += text;
      const address = said.match(/serving .* on (http:\/\/\S+)/)?.[1];
      if (address) found({ address, child });
    });
    child.on('exit', (code) => failed(new Error(`the server ended with exit code ${code}: ${said}`)));
  });
}

const problems = [];
let checks = 0;
function check(what, right, seen) {
  checks += 1;
  if (!right) problems.push(`${what}${seen === undefined ? '' : `: ${JSON.stringify(seen)}`}`);
  console.log(`${right ? 'ok ' : 'NOT'} ${what}${right || seen === undefined ? '' : `: ${JSON.stringify(seen)}`}`);
}
const equal = (what, seen, expected) => check(what, seen === expected, seen === expected ? undefined : { seen, expected });

const text = (page, name) => page.$eval(`[data-value="${name}"]`, (element) => element.textContent).catch(() => null);
const numbers = (value, digits) => value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits }).replace(/,/g, '\u202f');
const metres = (value, digits) => `${numbers(value, digits)} m`;
const length = (value) => (value < 1000 ? metres(value, 0) : `${numbers(value / 1000, 2)} km`);
const hash = async (page) => new Map((await page.evaluate(() => location.hash.slice(1))).split('&').map((pair) => pair.split('=')));
const answered = (page, selector) => page.waitForSelector(selector, { timeout: 30000 });
const rest = (ms) => new Promise((done) => setTimeout(done, ms));

function test(origin, browser, puppeteer) {
  const api = async (path) => (await fetch(`${origin}${path}`)).json();
  const shot = (page, name) => page.screenshot({ path: join(out, `${name}.png`) });

  /** A page whose console, requests and errors are watched. */
  async function open(address, { width = 1280, height = 800, scheme = 'light' } = {}) {
    const page = await browser.newPage();
    await page.setViewport({ width, height });
    await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
    page.seen = { errors: [], elsewhere: [] };
    page.on('pageerror', (error) => page.seen.errors.push(error.message));
    page.on('console', (message) => {
      const missing = /\/(tiles|lineage)\//.test(message.location()?.url ?? '') && message.text().includes('404');
      if (['error', 'warn', 'warning'].includes(message.type()) && !missing) page.seen.errors.push(`${message.text()} ${message.location()?.url ?? ''}`);
    });
    page.on('request', (request) => {
      const url = request.url();
      if (!url.startsWith(`${origin}/`) && !/^(blob|data):/.test(url)) page.seen.elsewhere.push(url);
    });
    await page.goto(`${origin}/${address}`, { waitUntil: 'load' });
    await page.waitForFunction(() => document.documentElement.dataset.ready, { timeout: 120000, polling: 100 });
    return page;
  }

  async function clean(page, what) {
    check(`${what}: the console is clean`, page.seen.errors.length === 0, page.seen.errors);
    check(`${what}: nothing is asked elsewhere`, page.seen.elsewhere.length === 0, page.seen.elsewhere);
    equal(`${what}: the page shows no error`, await page.$$eval('#errors .error', (all) => all.map((e) => e.textContent).join('; ')), '');
    await page.close();
  }

  async function height(page, id) {
    await page.mouse.click(800, 420);
    await answered(page, '[data-value="elevation"]');
    const [lon, lat] = (await hash(page)).get('at').split(',');
    const answer = await api(`/elevation/${id}?lon=${lon}&lat=${lat}`);
    const files = await api(`/stores/${id}/records?point=${lon},${lat}`);
    equal('a click shows the height of the API', await text(page, 'elevation'), metres(answer.elevation, 2));
    equal('and its source', await text(page, 'source'), answer.source);
    equal('and its zoom', await text(page, 'zoom'), String(answer.zoom));
    equal('and its resolution', await text(page, 'resolution'), metres(answer.resolution, answer.resolution < 10 ? 2 : 1));
    equal('and its file', await text(page, 'file'), files.features.find((f) => f.properties.source === answer.source).properties.path);
  }

  /** By keys alone: the tool, the typed line, the button, the cursor of the chart. */
  async function profile(page, id) {
    await page.focus('#tools input[value="height"]');
    await page.keyboard.press('ArrowRight');
    await page.focus('#form textarea');
    await page.keyboard.down('Control');
    await page.keyboard.press('a');
    await page.keyboard.up('Control');
    await page.keyboard.type('138.98, 34.2\n139.05 34.25');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await answered(page, '[data-value="climb"]');
    const answer = await api(`/profile/${id}?line=138.98,34.2;139.05,34.25&samples=256`);
    equal('a profile has the length of the API', await text(page, 'length'), length(answer.length));
    equal('and its climb', await text(page, 'climb'), metres(answer.climb, 0));
    equal('and its descent', await text(page, 'descent'), metres(answer.descent, 0));
    equal('and its greatest height', await text(page, 'greatest'), metres(answer.greatest, 1));
    await page.focus('.chart');
    for (let i = 0; i < 5; i++) await page.keyboard.press('ArrowRight');
    const point = answer.points[5];
    const said = await page.$eval('.chart', (chart) => chart.getAttribute('aria-valuetext'));
    check('keys move the cursor of the chart', said.includes(metres(point.elevation, 1)) && said.includes(length(point.distance)), said);
  }

  async function sight(page, id) {
    await page.focus('.maplibregl-canvas');
    await page.keyboard.press('s');
    await page.keyboard.press('Escape');
    await page.keyboard.press('Enter');
    for (let i = 0; i < 2; i++) await page.keyboard.press('ArrowRight');
    await rest(1500);
    await page.keyboard.press('Enter');
    await answered(page, '[data-value="visible"]');
    const [from, to] = (await hash(page)).get('at').split(';');
    const answer = await api(`/sight/${id}?from=${from}&to=${to}&eye=1.7&target=0`);
    equal('a sight by keys alone is that of the API', await text(page, 'visible'), answer.visible ? 'Visible' : 'Hidden');
    if (answer.blocked) equal('and blocked at its place', await text(page, 'blocked-ground'), metres(answer.blocked.ground, 1));
    const drawn = await page.$eval('#result', (result) => result.textContent);
    check('and says so in words', drawn.length > 5, drawn);
  }

  async function lineage(page, id) {
    const before = await shot(page, 'without-lineage');
    await page.click('#layers input[name="lineage"]');
    await page.click('#layers input[name="files"]');
    await page.waitForFunction(() => document.querySelectorAll('.sources li').length > 0);
    await rest(4000);
    const after = await shot(page, 'lineage');
    const legend = (await api(`/${id}.json`)).lineage.legend.map(({ name }) => name);
    const shown = await page.$$eval('.sources li', (rows) => rows.map((row) => row.textContent));
    equal('the legend has the sources of the lineage', shown.join(), legend.join());
    const colors = await page.$$eval('.sources .swatch', (signs) => signs.map((sign) => sign.style.background));
    equal('in colours that differ', new Set(colors).size, legend.length);
    check('the lineage is painted', Buffer.compare(Buffer.from(before), Buffer.from(after)) !== 0);
    const note = await page.$eval('#layers', (layers) => layers.textContent);
    check('the files in view are counted', /\d+ here/.test(note), note);
  }

  /** The colour of the lineage on the map is that of the source that the API names, over the paper. */
  async function painted(id) {
    const page = await open(`#map=11/34.2/139&data=${id}&layers=lineage&tool=height`);
    await rest(2500);
    const { legend } = (await api(`/${id}.json`)).lineage;
    for (const [x, y] of [[720, 440], [500, 120], [900, 600]]) {
      await page.mouse.click(x, y);
      await answered(page, '[data-value="source"]');
      await page.waitForFunction((at) => location.hash.includes('at=') && location.hash !== at, {}, page.before ?? '');
      page.before = await page.evaluate(() => location.hash);
      await rest(1500);
      const source = await text(page, 'source');
      await page.focus('.maplibregl-canvas');
      await page.keyboard.press('Escape');
      await rest(800);
      const picture = `data:image/png;base64,${await page.screenshot({ encoding: 'base64' })}`;
      const seen = await page.evaluate(async (url, px, py) => {
        const image = new Image();
        image.src = url;
        await image.decode();
        const canvas = new OffscreenCanvas(image.width, image.height);
        const context = canvas.getContext('2d');
        context.drawImage(image, 0, 0);
        return [...context.getImageData(px, py, 1, 1).data].slice(0, 3);
      }, picture, x, y);
      const swatch = await page.$$eval('.sources li', (rows, name) => rows.find((row) => row.textContent === name)?.querySelector('.swatch').style.background, source);
      const [paper, color] = [[219, 230, 234], (swatch ?? '').match(/\d+/g)?.map(Number) ?? []];
      const expected = paper.map((p, i) => Math.round(p * 0.38 + color[i] * 0.62));
      check(`the map is painted as ${source} where the API says so`, expected.every((value, i) => Math.abs(value - seen[i]) <= 6), { seen, expected });
    }
    check('there are several sources to see', legend.length > 1);
    await clean(page, 'painted');
  }

  /** A line that the server finds too long is asked for again, at the zoom that the server offers. */
  async function longLine(id) {
    const page = await browser.newPage();
    await page.setRequestInterception(true);
    const detail = 'the line of sight is too large for zoom 15; give a smaller one, or ask with max_zoom=9';
    page.on('request', (request) => (request.url().includes('/sight/') && !request.url().includes('max_zoom=')
      ? request.respond({ status: 400, contentType: 'application/problem+json', body: JSON.stringify({ status: 400, detail }) })
      : request.continue()));
    await page.goto(`${origin}/#map=10/34.2/139&data=${id}&layers=&tool=sight&at=138.9,34.2;139.1,34.2`, { waitUntil: 'load' });
    await answered(page, '[data-value="visible"]');
    const said = await page.$eval('#result', (part) => part.textContent);
    check('a line that is too long is looked at as far as the server offers', said.includes('9 at most, because the line is long'), said);
    await page.close();
  }

  /** Without WebGL there is no map, and typed places get their answers. */
  async function withoutMap(id) {
    const plain = await puppeteer.launch({ executablePath: browserPath, args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu', '--disable-3d-apis'], timeout: 180000 });
    try {
      const page = await plain.newPage();
      await page.goto(`${origin}/#data=${id}&tool=height&at=139,34.2`, { waitUntil: 'load' });
      await answered(page, '[data-value="elevation"]');
      const { elevation } = await api(`/elevation/${id}?lon=139&lat=34.2`);
      equal('without WebGL a typed place has its height', await text(page, 'elevation'), metres(elevation, 2));
      const said = await page.$eval('#errors', (errors) => errors.textContent);
      check('and the page says why there is no map', said.includes('WebGL'), said);
      await page.screenshot({ path: join(out, 'no-webgl.png') });
    } finally {
      await plain.close();
    }
  }

  /** What a link says comes back in a new page. */
  async function link(page, id) {
    const before = await page.evaluate(() => location.hash);
    const again = await open(before);
    await answered(again, '[data-value="visible"]');
    equal('a link brings back the position, layers, tool and places', await again.evaluate(() => location.hash), before);
    equal('and the answer', await text(again, 'visible'), await text(page, 'visible'));
    equal('and the dataset', await again.$eval('#dataset', (list) => list.value), id);
    await clean(again, 'link');
  }

  /** All that can be pressed has a name, and Tab reaches the tools. */
  async function reach(page) {
    const unnamed = [];
    const walk = (node) => {
      if (['button', 'checkbox', 'radio', 'textbox', 'combobox', 'slider', 'link'].includes(node.role) && !node.name) unnamed.push(node.role);
      (node.children ?? []).forEach(walk);
    };
    walk(await page.accessibility.snapshot());
    check('all controls have names', unnamed.length === 0, unnamed);
    const reached = new Set();
    await page.evaluate(() => document.activeElement.blur());
    for (let i = 0; i < 30; i++) {
      await page.keyboard.press('Tab');
      reached.add(await page.evaluate(() => {
        const { id, name, className, type } = document.activeElement;
        return id || name || type || className;
      }));
    }
    const wanted = ['theme', 'link', 'fold', 'tool', 'relief', 'files', '3d', 'maplibregl-canvas mapboxgl-canvas', 'submit'];
    const missed = wanted.filter((name) => ![...reached].some((seen) => String(seen).includes(name.split(' ')[0])));
    check('Tab reaches all tools', missed.length === 0, { missed, reached: [...reached] });
  }

  /** A server that fails is quoted in the page. */
  async function failures(id) {
    const page = await browser.newPage();
    await page.setViewport({ width: 1280, height: 800 });
    await page.setRequestInterception(true);
    page.on('request', (request) => {
      const body = (detail) => ({ status: 503, contentType: 'application/problem+json', body: JSON.stringify({ title: 'x', status: 503, detail }) });
      if (request.url().includes('/elevation/')) return request.respond(body('too busy for heights'));
      if (/\/tiles\/.*\/1[0-9]\//.test(request.url())) return request.respond(body('too busy for tiles'));
      return request.continue();
    });
    await page.goto(`${origin}/#map=11/34.2/139&data=${id}&layers=relief&tool=height&at=139,34.2`, { waitUntil: 'load' });
    await page.waitForFunction(() => document.querySelector('#errors')?.textContent.includes('too busy for tiles'), { timeout: 60000, polling: 200 }).catch(() => {});
    const said = await page.$eval('#errors', (errors) => errors.textContent);
    check('a tile that fails is named with the server\'s reason', said.includes('too busy for tiles'), said);
    const result = await page.$eval('#result', (part) => part.textContent);
    check('so is a height that fails', result.includes('too busy for heights'), result);
    await shot(page, 'failures');
    await page.close();
  }

  return async () => {
    const [{ id }] = (await api('/catalog')).datasets;
    const page = await open('');
    const times = await page.evaluate(() => Object.fromEntries([...performance.getEntriesByType('paint'), ...performance.getEntriesByType('mark')].map(({ name, startTime }) => [name, Math.round(startTime)])));
    console.log(`    ms from the start: ${JSON.stringify(times)}`);
    await shot(page, 'start');
    await height(page, id);
    await shot(page, 'height');
    await reach(page);
    await profile(page, id);
    await shot(page, 'profile');
    await sight(page, id);
    await shot(page, 'sight');
    await lineage(page, id);
    await link(page, id);
    await clean(page, 'a visit');
    const dark = await open(`#map=12/34.22/139.02&data=${id}&layers=relief,shade,contours,files&tool=profile&at=138.98,34.2;139.05,34.25`, { scheme: 'dark' });
    await answered(dark, '.chart');
    await rest(3000);
    await shot(dark, 'dark');
    await clean(dark, 'dark');
    const phone = await open(`#map=10.5/34.2/139&data=${id}&tool=height&at=139,34.2`, { width: 390, height: 780 });
    await answered(phone, '[data-value="elevation"]');
    await shot(phone, 'phone');
    const wide = await phone.evaluate(() => document.documentElement.scrollWidth);
    equal('nothing is wider than a phone', wide, 390);
    await clean(phone, 'phone');
    await painted(id);
    await failures(id);
    await longLine(id);
    await withoutMap(id);
    if (args['3d']) {
      const solid = await open(`#map=11/34.2/139/20/60&data=${id}&layers=relief,shade,3d`);
      await rest(15000);
      await shot(solid, '3d');
      await clean(solid, '3D');
    }
  };
}

async function main() {
  if (!browserPath) {
    console.error('SKIPPED: the viewer was not tested, because there is no Chromium; install Debian\'s chromium or give --browser');
    return 0;
  }
  const { default: puppeteer } = await import(createRequire(join(resolve(args.packages), 'package.json')).resolve('puppeteer-core'));
  mkdirSync(out, { recursive: true });
  const { address, child } = args.server ? { address: args.server } : await serve(sample());
  let browser;
  try {
    browser = await puppeteer.launch({ executablePath: browserPath, args: FLAGS, timeout: 180000, protocolTimeout: 180000 });
    await test(address.replace(/\/$/, ''), browser, puppeteer)();
  } finally {
    await browser?.close();
    child?.removeAllListeners('exit');
    child?.kill();
  }
  console.log(`${checks} checks, ${problems.length} not as they should be; pictures in ${args.out}`);
  return problems.length ? 1 : 0;
}

process.exitCode = await main();
