import { fireEvent, screen, waitFor, within } from '@testing-library/react'
import { expect, it } from 'vitest'
import { open } from '../../dev/render'

const type = (label: string, text: string) =>
  fireEvent.change(screen.getByLabelText(label), { target: { value: text } })

it('shows what a schedule means while it is typed, and an error at its character', async () => {
  open('/jobs/new')
  expect((await screen.findByTestId('sentence')).textContent).toBe('Every 5 minutes.')
  type('Schedule', '0 * * * *')
  await waitFor(() => expect(screen.getByTestId('sentence').textContent).toBe('At minute 0 of every hour.'))
  type('Schedule', '0 61 * * *')
  const pointer = await screen.findByTestId('expression-pointer')
  expect(pointer.querySelector('mark')?.textContent).toBe('6')
  expect(screen.getByText('61 is out of range 0-59 for the minute field')).toBeTruthy()
  expect(screen.getByText('Write a number from 0 to 59')).toBeTruthy()
  expect(screen.queryByTestId('sentence')).toBeNull()
})

it('shows the days on which clocks change, and what a policy makes of them', async () => {
  const { user, center } = open('/jobs/new')
  await screen.findByTestId('sentence')
  expect(screen.queryByLabelText('Times that clocks skip')).toBeNull()
  type('Schedule', '30 2 * * *')
  const days = await screen.findByRole('list', { name: 'Days on which clocks change' })
  expect(days.textContent).toBe('Mar 28, 2027: clocks go from 02:00 to 03:00; it runs right then.')
  await user.click(screen.getByLabelText('Times that clocks skip', { selector: 'input' }))
  await user.click(await screen.findByRole('option', { name: 'do not run' }))
  await waitFor(() => expect(days.textContent).toMatch(/times in between are left out/))
  type('Name', 'nightly')
  type('Command line', '/bin/true')
  await user.click(screen.getByRole('button', { name: 'Create job' }))
  await waitFor(() => expect(center.world.jobs.some((job) => job.spec.name === 'nightly')).toBe(true))
  const made = center.world.jobs.find((job) => job.spec.name === 'nightly')
  expect(made?.spec.scheduled?.dst).toEqual({ gap: 'skip', overlap: null })
})

it('says from when until when a job is active', async () => {
  const { user, center } = open('/jobs/new')
  await screen.findByTestId('sentence')
  type('Active from', '2027-01-01T00:00:00')
  type('Active until', '2027-02-01T00:00:00')
  type('Name', 'january')
  type('Command line', '/bin/true')
  await user.click(screen.getByRole('button', { name: 'Create job' }))
  await waitFor(() => expect(center.world.jobs.some((job) => job.spec.name === 'january')).toBe(true))
  const made = center.world.jobs.find((job) => job.spec.name === 'january')
  expect(made?.spec.scheduled).toMatchObject({
    active_from: new Date(2027, 0, 1).toISOString(),
    active_until: new Date(2027, 1, 1).toISOString(),
  })
})

it('lets a job follow a calendar', async () => {
  const { user, center } = open('/jobs/new')
  await screen.findByTestId('sentence')
  expect(screen.queryByLabelText('Days of the calendar')).toBeNull()
  await user.click(screen.getByLabelText('Calendar', { selector: 'input' }))
  await user.click(await screen.findByRole('option', { name: 'working days, mainland China' }))
  await user.click(screen.getByLabelText('Days of the calendar', { selector: 'input' }))
  await user.click(await screen.findByRole('option', { name: 'else the next of these days' }))
  type('Name', 'payroll')
  type('Command line', '/bin/true')
  await user.click(screen.getByRole('button', { name: 'Create job' }))
  await waitFor(() => expect(center.world.jobs.some((job) => job.spec.name === 'payroll')).toBe(true))
  const made = center.world.jobs.find((job) => job.spec.name === 'payroll')
  expect(made?.spec.scheduled?.calendar).toEqual({ name: 'cn-workdays', mode: 'shift_next' })
})

it('maps what the center refuses to the input', async () => {
  const { user } = open('/jobs/new')
  await screen.findByLabelText('Name')
  await user.click(screen.getByRole('button', { name: 'Create job' }))
  const name = screen.getByLabelText('Name')
  await waitFor(() => expect(name.getAttribute('aria-invalid')).toBe('true'))
  expect(screen.getByText(/the name is empty/)).toBeTruthy()
})

it('creates a job and goes to its page', async () => {
  const { user, router, center } = open('/jobs/new')
  await screen.findByLabelText('Name')
  type('Name', 'cleanup')
  type('Command line', `/usr/bin/find /tmp -name 'a b*' -delete`)
  const shown = within(screen.getByRole('list', { name: 'Arguments as they are passed' })).getAllByRole(
    'listitem',
  )
  expect(shown.map((word) => word.textContent)).toEqual(['/usr/bin/find', '/tmp', '-name', 'a b*', '-delete'])
  await user.click(screen.getByRole('button', { name: 'Create job' }))
  await waitFor(() => expect(router.state.location.pathname).toMatch(/^\/jobs\/0000/))
  const made = center.world.jobs.find((job) => job.spec.name === 'cleanup')
  expect(made?.spec.command.argv).toEqual(['/usr/bin/find', '/tmp', '-name', 'a b*', '-delete'])
  expect(made?.spec.scheduled?.time_zone).toBe('Europe/Berlin')
  expect(made?.spec.target).toEqual({ all: true, agent_ids: [], mode: 'each' })
})

it('creates a job that runs on some of its agents', async () => {
  const { user, center } = open('/jobs/new')
  await screen.findByLabelText('Name')
  type('Name', 'report')
  type('Command line', '/bin/true')
  await user.click(screen.getByText('Any of them'))
  type('How many', '2')
  await user.click(screen.getByRole('button', { name: 'Create job' }))
  await waitFor(() => expect(center.world.jobs.some((job) => job.spec.name === 'report')).toBe(true))
  const made = center.world.jobs.find((job) => job.spec.name === 'report')
  expect(made?.spec.target).toEqual({
    all: true,
    agent_ids: [],
    mode: 'any',
    count: 2,
    pick: 'fewest_running',
  })
})

it('warns of shell syntax where there is no shell', async () => {
  open('/jobs/new')
  await screen.findByLabelText('Name')
  type('Command line', 'cat /etc/hosts | wc -l')
  expect(screen.getByText(/looks like shell syntax/)).toBeTruthy()
})

it('shows the matching agents and whether they are in reach', async () => {
  open('/jobs/new?group=00000002-0000-7000-8000-000000000001')
  expect(await screen.findByText(/2 agents match, 1 online/)).toBeTruthy()
  expect(screen.getByText('batch-01')).toBeTruthy()
})

it('offers only the run-as users of the group', async () => {
  const { user } = open('/jobs/new?group=00000002-0000-7000-8000-000000000002')
  await user.click(await screen.findByLabelText('Run as', { selector: 'input' }))
  const list = await screen.findByRole('listbox', { name: 'Run as' })
  expect(
    within(list)
      .getAllByRole('option')
      .map((option) => option.textContent),
  ).toEqual(['root', 'ops'])
})

async function edit(name: string) {
  const opened = open('/jobs')
  const link = await screen.findByRole('link', { name })
  await opened.router.navigate({ href: `${link.getAttribute('href')}/edit` })
  await screen.findByRole('button', { name: 'Review changes' })
  return opened
}

it('shows what changes before it saves a new version', async () => {
  const { user, center } = await edit('session-gc')
  type('Time limit', '5m')
  expect(await screen.findByText('1 value changed')).toBeTruthy()
  await user.click(screen.getByRole('button', { name: 'Review changes' }))
  const dialog = await screen.findByRole('dialog')
  expect(within(dialog).getByRole('row', { name: 'Time limit 1h 5m' })).toBeTruthy()
  await user.click(within(dialog).getByRole('button', { name: 'Save as new version' }))
  await waitFor(() => {
    const job = center.world.jobs.find((each) => each.spec.name === 'session-gc')
    expect([job?.version, job?.spec.scheduled?.timeout_ms]).toEqual([3, 300_000])
  })
})

it('notices that somebody else has saved meanwhile', async () => {
  const { user, center } = await edit('session-gc')
  type('Time limit', '5m')
  const job = center.world.jobs.find((each) => each.spec.name === 'session-gc')
  if (job) Object.assign(job, { version: 7, spec: { ...job.spec, description: 'theirs' } })
  await user.click(screen.getByRole('button', { name: 'Review changes' }))
  await user.click(await screen.findByRole('button', { name: 'Save as new version' }))
  expect(await screen.findByText(/Somebody saved version 7 meanwhile/)).toBeTruthy()
  expect(screen.getByRole('row', { name: 'Description theirs –' })).toBeTruthy()
  await user.click(screen.getByRole('button', { name: 'Save as new version' }))
  await waitFor(() => expect(job?.version).toBe(8))
})

it('tries again only after failures that are named', async () => {
  const { user, center } = open('/jobs/new')
  await screen.findByLabelText('Name')
  type('Name', 'fetch')
  type('Command line', '/srv/fetch')
  expect(screen.queryByLabelText('Only after these failures')).toBeNull()
  type('Attempts', '4')
  type('Only after these failures', '75, 64-70，timeout')
  await user.click(screen.getByRole('button', { name: 'Create job' }))
  await waitFor(() => expect(center.world.jobs.some((job) => job.spec.name === 'fetch')).toBe(true))
  const job = center.world.jobs.find((job) => job.spec.name === 'fetch')
  expect(job?.spec.scheduled?.retry).toMatchObject({ attempts_max: 4, failures: ['75', '64-70', 'timeout'] })
})

it('lets runs wait for each other, for longer than they would else', async () => {
  const { user, center } = open('/jobs/new')
  await screen.findByTestId('sentence')
  const overlap = within(screen.getByRole('radiogroup', { name: 'While the previous run is alive' }))
  await user.click(overlap.getByRole('radio', { name: 'let it wait' }))
  expect(screen.getByLabelText<HTMLInputElement>('Start deadline').value).toBe('1h')
  type('Runs that may wait', '3')
  type('Name', 'reports')
  type('Command line', '/bin/true')
  await user.click(screen.getByRole('button', { name: 'Create job' }))
  await waitFor(() => expect(center.world.jobs.some((job) => job.spec.name === 'reports')).toBe(true))
  const made = center.world.jobs.find((job) => job.spec.name === 'reports')
  expect(made?.spec.scheduled).toMatchObject({
    overlap: 'queue',
    queue_max: 3,
    start_deadline_ms: 3_600_000,
  })
})

it('asks a daemon how it is', async () => {
  const { user, center } = open('/jobs/new')
  await screen.findByLabelText('Name')
  await user.click(screen.getByRole('radio', { name: 'Daemon' }))
  type('Name', 'api')
  type('Command line', '/srv/api')
  const readiness = within(screen.getByRole('radiogroup', { name: 'Readiness check' }))
  await user.click(readiness.getByRole('radio', { name: 'HTTP' }))
  type('Port', '9000')
  await user.click(screen.getByLabelText('plus the number of the slot'))
  type('Path', '/ready')
  type('Ready within', '30s')
  type('Exit statuses that count as a good end', '0, 3')
  type('Replace at the age of', '1d')
  await user.click(screen.getByRole('button', { name: 'Create job' }))
  await waitFor(() => expect(center.world.jobs.some((job) => job.spec.name === 'api')).toBe(true))
  const daemon = center.world.jobs.find((job) => job.spec.name === 'api')?.spec.daemon
  expect(daemon).toMatchObject({
    expected_exit_codes: [0, 3],
    readiness: {
      check: { http: { port: 9_000, adds_slot: true, path: '/ready' } },
      start_timeout_ms: 30_000,
    },
    health: null,
    max_age_ms: 86_400_000,
    max_unavailable: 1,
  })
})
