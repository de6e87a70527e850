// The product as people meet it: first start, sample jobs, a job of one's own, kill, roles, languages, themes.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { ADMIN, browser, eventually, rest, up } from '../rig.mjs';

const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const PAGES = ['/jobs', '/jobs/new', '/runs', '/daemons', '/agents', '/groups', '/users', '/account'];

/** One page of each kind that belongs to a thing. */
async function detailPages() {
  const [{ items: jobs }, { items: runs }, { items: slots }, { items: agents }, { items: groups }] = await Promise.all(
    ['/jobs', '/runs?state=ended&limit=1', '/slots', '/agents', '/groups'].map((path) => api.get(path)),
  );
  const [scheduled, daemon] = ['scheduled', 'daemon'].map((kind) => jobs.find((job) => job.kind === kind).id);
  const slot = slots[0];
  return [
    `/jobs/${scheduled}`,
    `/jobs/${scheduled}/edit`,
    `/jobs/${daemon}`,
    `/runs/${runs[0].id}`,
    `/daemons/${slot.job_id}/${slot.agent_id}/${slot.index}`,
    `/agents/${agents[0].id}`,
    `/groups/${groups[0].id}`,
  ];
}

let product;
let chrome;
let admin;
let api;

before(async () => {
  product = await up();
  chrome = await browser();
  admin = await chrome.page(product.base);
});

after(async () => {
  await chrome?.close();
  await product?.stop();
});

test('the setup code makes the first administrator', async () => {
  const { page } = admin;
  await page.goto('/');
  await page.getByLabel('Setup code').fill('0000-0000-0000-0000-0000');
  await page.getByLabel('Login').fill(ADMIN.login);
  await page.getByLabel('Password', { exact: true }).fill(ADMIN.password);
  await page.getByRole('button', { name: 'Create and sign in' }).click();
  await page.getByText(/setup code/i).first().waitFor();
  assert.equal(await page.getByRole('heading', { name: 'Jobs' }).count(), 0, 'a wrong code lets nobody in');
  await page.getByLabel('Setup code').fill(product.code);
  await page.getByRole('button', { name: 'Create and sign in' }).click();
  await page.getByRole('heading', { name: 'Jobs', exact: true }).waitFor();
  api = rest(admin.context, product.base);
});

test('every sample job shows real runs with real output', async () => {
  const { page } = admin;
  const { items: jobs } = await api.get('/jobs');
  assert.ok(jobs.length >= 6, `${jobs.length} sample jobs`);
  await page.goto('/jobs');
  for (const job of jobs) await page.getByRole('link', { name: job.spec.name }).first().waitFor();
  for (const job of jobs.filter((job) => job.kind === 'scheduled')) {
    const run = await eventually(
      `a run of ${job.spec.name} with output`,
      async () => {
        const { items } = await api.get(`/runs?job=${job.id}&state=ended&limit=50`);
        return items.find((run) => run.output_bytes > 0);
      },
      100_000,
    );
    const piece = await eventually(`the stored output of ${job.spec.name}`, async () => {
      const piece = await api.get(`/outputs/${run.id}`);
      return piece.is_complete && piece;
    });
    const line = piece.chunks.map((chunk) => chunk.text).join('').split('\n')[0].replace(/\u001b\[[0-9;]*m/g, '');
    await page.goto(`/runs/${run.id}`);
    await page.getByText(line.slice(0, 40)).first().waitFor();
  }
  for (const job of jobs.filter((job) => job.kind === 'daemon')) {
    const slots = await eventually(`slots of ${job.spec.name}`, async () => {
      const { items } = await api.get(`/slots?job=${job.id}`);
      return items.length === job.spec.processes && items.every((slot) => slot.state === 'running') && items;
    });
    await page.goto('/daemons');
    for (const slot of slots) await page.getByText(`pid ${slot.pid}`).waitFor();
  }
});

test('the editor shows what a schedule means, and an error at its character', async () => {
  const { page } = admin;
  await page.goto('/jobs/new');
  const expression = page.getByRole('textbox', { name: 'Schedule' });
  await expression.fill('0 30 2 * * MON-FRI');
  const meaning = page.getByRole('complementary', { name: 'What this means' });
  await meaning.getByText(/0?2:30/).first().waitFor();
  const next = meaning.getByRole('row').filter({ hasText: '02:30:00' });
  await eventually('ten next runs', async () => (await next.count()) === 10);
  await expression.fill('0 61 * * * *');
  await eventually('the field is marked', async () => (await expression.getAttribute('aria-invalid')) === 'true');
  const pointer = page.getByTestId('expression-pointer');
  await pointer.waitFor();
  assert.equal(await pointer.locator('mark').evaluate((mark) => mark.previousSibling.textContent), '0 ');
  await page.getByText(/61/).filter({ hasText: /minute/i }).first().waitFor();
});

test('a job of one\'s own: created, run, watched live, killed', async () => {
  const { page } = admin;
  await page.goto('/jobs/new');
  await page.getByRole('textbox', { name: 'Name', exact: true }).fill('watched');
  await page.getByRole('textbox', { name: 'Schedule' }).fill('@at 2035-01-01T00:00:00');
  const line = page.getByRole('textbox', { name: /Command line|Program and arguments/ });
  await line.first().fill('sh -c "echo first line; sleep 120"');
  await page.getByText('Every agent of the group').first().click();
  await page.getByRole('button', { name: 'Create job' }).click();
  await page.waitForURL(/\/jobs\/[0-9a-f-]{36}/);
  const job = page.url().match(/[0-9a-f-]{36}/)[0];
  await page.getByRole('button', { name: 'Run now' }).first().click();
  const run = await eventually('a run', async () => (await api.get(`/runs?job=${job}`)).items[0]);
  await page.goto(`/runs/${run.id}`);
  await page.getByText('first line', { exact: true }).first().waitFor();
  await page.getByRole('button', { name: 'Kill', exact: true }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByText(/Kill run of “watched”/).waitFor();
  await dialog.getByRole('button', { name: 'Kill' }).click();
  await eventually('it is killed', async () => (await api.get(`/runs/${run.id}`)).outcome === 'killed');
  await page.getByText('Killed').first().waitFor();
});

test('pause and resume from the list', async () => {
  const { page } = admin;
  await page.goto('/jobs');
  await page.getByRole('button', { name: 'Pause heartbeat' }).click();
  const heartbeat = async () => (await api.get('/jobs?q=heartbeat')).items[0];
  await eventually('it is paused', async () => (await heartbeat()).is_paused);
  await page.getByRole('button', { name: 'Resume heartbeat' }).click();
  await eventually('it goes on', async () => !(await heartbeat()).is_paused);
});

test('a job that any of its agents runs', async () => {
  const { page } = admin;
  await page.goto('/jobs/new');
  await page.getByRole('textbox', { name: 'Name', exact: true }).fill('anywhere');
  await page.getByRole('textbox', { name: 'Schedule' }).fill('@at 2035-01-01T00:00:00');
  await page.getByRole('textbox', { name: /Command line|Program and arguments/ }).first().fill('/bin/true');
  await page.getByText('Any of them').click();
  await page.getByRole('button', { name: 'Create job' }).click();
  await page.waitForURL(/\/jobs\/[0-9a-f-]{36}/);
  const job = page.url().match(/[0-9a-f-]{36}/)[0];
  assert.equal((await api.get(`/jobs/${job}`)).spec.target.mode, 'any');
  await page.getByText('Any one of').waitFor();
  await page.getByRole('button', { name: 'Run now' }).first().click();
  await eventually('it has run', async () => (await api.get(`/runs?job=${job}`)).items[0]?.outcome === 'succeeded');
});

test('chosen jobs are paused and resumed together, after a look at them', async () => {
  const { page } = admin;
  await page.goto('/jobs');
  const names = ['clean-logs', 'slow-report'];
  const arePaused = async (expected) => {
    const { items } = await api.get('/jobs');
    return names.every((name) => items.find((job) => job.spec.name === name).is_paused === expected);
  };
  for (const [action, expected] of [['Pause', true], ['Resume', false]]) {
    for (const name of names) await page.getByRole('row').filter({ hasText: name }).getByRole('checkbox').check();
    await page.getByText('2 jobs chosen').waitFor();
    await page.getByRole('button', { name: action, exact: true }).click();
    const dialog = page.getByRole('dialog');
    for (const name of names) await dialog.getByText(name).waitFor();
    await dialog.getByRole('button', { name: `${action} 2 jobs` }).click();
    await eventually(`${action} is done`, () => arePaused(expected));
    await dialog.waitFor({ state: 'hidden' });
    await page.goto('/jobs');
  }
});

test('a job is edited after a look at what changes', async () => {
  const { page } = admin;
  const [job] = (await api.get('/jobs?q=slow-report')).items;
  await page.goto(`/jobs/${job.id}/edit`);
  await page.getByLabel('Time limit').fill('4m');
  await page.getByRole('button', { name: 'Review changes' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('row', { name: 'Time limit 5m 4m' }).waitFor();
  await dialog.getByRole('button', { name: 'Save as new version' }).click();
  await page.waitForURL(new RegExp(`/jobs/${job.id}$`));
  const saved = await api.get(`/jobs/${job.id}`);
  assert.deepEqual([saved.version, saved.spec.scheduled.timeout_ms], [job.version + 1, 240_000]);
});

test('a worker process is restarted from its page, and what it wrote is shown', async () => {
  const { page } = admin;
  await page.goto('/daemons');
  await page.getByRole('link', { name: /#0/ }).first().click();
  await page.getByRole('log').locator('[data-index]').first().waitFor();
  const [, job, agent] = page.url().match(/daemons\/([0-9a-f-]{36})\/([0-9a-f-]{36})\/0/);
  const slot = async () => (await api.get(`/slots?job=${job}&agent=${agent}`)).items.find((each) => each.index === 0);
  const { pid } = await slot();
  await page.getByRole('button', { name: 'Restart' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Restart' }).click();
  await eventually('another process runs in its place', async () => {
    const now = await slot();
    return now.state === 'running' && now.pid !== pid;
  });
});

test('an agent is added by a command that is shown once', async () => {
  const { page } = admin;
  await page.goto('/agents');
  await page.getByText('Online').first().waitFor();
  await page.getByRole('button', { name: 'Add agent' }).click();
  await page.getByRole('button', { name: 'Make the command' }).click();
  await page.getByText(/cronfleet agent join .*cfj_/).waitFor();
});

test('the palette finds a job and goes there', async () => {
  const { page } = admin;
  await page.goto('/runs');
  await page.getByRole('heading', { name: 'Runs', exact: true }).waitFor();
  await page.keyboard.press('Control+k');
  await page.getByRole('combobox', { name: 'Find jobs, agents, pages and actions' }).fill('queue');
  await page.getByRole('option', { name: /^queue-worker/, selected: true }).waitFor();
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'queue-worker' }).waitFor();
});

test('language and theme change without a reload', async () => {
  const { page } = admin;
  await page.goto('/account');
  await page.getByRole('heading', { name: 'My account' }).waitFor();
  await page.evaluate(() => {
    window.isSamePage = true;
  });
  await page.getByText('简体中文', { exact: true }).click();
  await page.getByRole('heading', { name: '我的账户' }).waitFor();
  await page.getByText('深色', { exact: true }).click();
  const scheme = () => page.evaluate(() => document.documentElement.getAttribute('data-mantine-color-scheme'));
  await eventually('the theme is dark', async () => (await scheme()) === 'dark');
  await page.getByText('English', { exact: true }).click();
  await page.getByText('As the system', { exact: true }).click();
  await page.getByRole('heading', { name: 'My account' }).waitFor();
  assert.equal(await page.evaluate(() => window.isSamePage), true);
});

test('a viewer of one group sees nothing of another', async () => {
  const password = 'another lantern harbour 9';
  const viewer = await api.post('/users', { login: 'viewer', password });
  const theirs = await api.post('/groups', { name: 'theirs', run_as: ['root'] });
  await api.put(`/groups/${theirs.id}/members/${viewer.id}`, { role: 'viewer' });
  const { page, context } = await chrome.page(product.base);
  await page.goto('/');
  await page.getByLabel('Login').fill('viewer');
  await page.getByLabel('Password', { exact: true }).fill(password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('heading', { name: 'Jobs', exact: true }).waitFor();
  assert.equal((await rest(context, product.base).get('/jobs')).items.length, 0);
  assert.equal(await page.getByRole('link', { name: 'heartbeat' }).count(), 0);
  const { items } = await api.get('/jobs?q=heartbeat');
  const answer = await context.request.get(`${product.base}/api/v1/jobs/${items[0].id}`);
  assert.equal(answer.status(), 404);
  await context.close();
});

for (const [locale, word] of [['en-US', 'Jobs'], ['zh-CN', '作业']]) {
  for (const colorScheme of ['light', 'dark']) {
    test(`every page is whole and accessible: ${locale}, ${colorScheme}`, async () => {
      // The session only: language and theme come from the browser's preferences.
      const { cookies } = await admin.context.storageState();
      const { page, context, problems } = await chrome.page(product.base, { locale, colorScheme, storageState: { cookies, origins: [] } });
      for (const path of [...PAGES, ...(await detailPages())]) {
        await page.goto(path);
        await page.getByRole('heading').first().waitFor();
        await page.getByRole('link', { name: word }).first().waitFor();
        await eventually(`${path} has loaded`, async () => (await page.locator('[aria-busy=true]').count()) === 0);
        // The policy of the page forbids inline scripts; the check runs outside of the page's own world.
        const violations = await page.evaluate(
          async ([source]) => {
            (0, eval)(source);
            const found = await window.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa'] });
            return found.violations.map((v) => `${v.id}: ${v.nodes.map((node) => node.target.join(' ')).join(', ')}`);
          },
          [axe],
        );
        assert.deepEqual(violations, [], path);
      }
      assert.deepEqual(problems, []);
      await context.close();
    });
  }
}
