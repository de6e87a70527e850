// Starts the real binary on free ports with a temporary data directory, and Chromium in front of it.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

export const ADMIN = { login: 'admin', password: 'quiet harbour lantern 7' };

const BROWSER = process.env.CRONFLEET_CHROMIUM ?? '/usr/bin/chromium';
const ARGUMENTS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Looks until `condition` answers something; fails after `within` milliseconds. */
export async function eventually(what, condition, within = 60_000) {
  const deadline = Date.now() + within;
  for (;;) {
    const answer = await condition();
    if (answer) return answer;
    assert.ok(Date.now() < deadline, `not within ${within} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

/** `cronfleet up --demo`, running; `stop` ends it and removes its data. */
export async function up() {
  const binary = process.env.CRONFLEET_BINARY;
  assert.ok(binary, 'CRONFLEET_BINARY names the binary under test');
  const dir = await mkdtemp(join(tmpdir(), 'cronfleet-e2e-'));
  // The product takes two free ports itself: one that is looked for here could be somebody else's by then.
  const listen = ['--listen', '127.0.0.1:0', '--agent-listen', '127.0.0.1:0'];
  const child = spawn(binary, ['up', '--demo', '--data-dir', dir, ...listen]);
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (data) => {
      printed += data;
    });
  }
  const ended = new Promise((resolve) => child.on('exit', resolve));
  const [base, code] = await eventually('address and setup code are printed', () => {
    assert.equal(child.exitCode, null, printed);
    const found = [/http:\/\/127\.0\.0\.1:[0-9]+/, /[0-9A-Z]{4}(?:-[0-9A-Z]{4}){4}/].map((part) => printed.match(part)?.[0]);
    return found.every(Boolean) && found;
  });
  await eventually('the center is ready', async () => {
    try {
      return (await fetch(`${base}/readyz`)).ok;
    } catch {
      return false;
    }
  });
  return {
    base,
    code,
    printed: () => printed,
    async stop() {
      child.kill('SIGINT');
      const status = await ended;
      await rm(dir, { recursive: true, force: true });
      return status;
    },
  };
}

/** Chromium; `page` opens a context of its own and gathers what goes wrong in it. */
export async function browser() {
  const chrome = await chromium.launch({ executablePath: BROWSER, args: ARGUMENTS });
  return {
    async page(base, options = {}) {
      const context = await chrome.newContext({
        baseURL: base,
        viewport: { width: 1280, height: 800 },
        locale: 'en-US',
        timezoneId: 'Asia/Shanghai',
        ...options,
      });
      context.setDefaultTimeout(30_000);
      const page = await context.newPage();
      const problems = [];
      page.on('pageerror', (error) => problems.push(String(error)));
      page.on('console', (message) => {
        if (message.type() === 'error' && !/status of 4\d\d/.test(message.text())) problems.push(message.text());
      });
      return { page, context, problems };
    },
    close: () => chrome.close(),
  };
}

/** A REST client with the session of a browser context. */
export function rest(context, base) {
  const headers = { Origin: base };
  const read = async (answer, path) => {
    assert.ok(answer.ok(), `${path}: ${answer.status()} ${await answer.text()}`);
    const text = await answer.text();
    return text === '' ? null : JSON.parse(text);
  };
  return {
    get: async (path) => read(await context.request.get(`${base}/api/v1${path}`), path),
    post: async (path, data) => read(await context.request.post(`${base}/api/v1${path}`, { data, headers }), path),
    put: async (path, data) => read(await context.request.put(`${base}/api/v1${path}`, { data, headers }), path),
  };
}
