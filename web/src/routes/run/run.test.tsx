import { screen, waitFor, within } from '@testing-library/react'
import { expect, it } from 'vitest'
import { open } from '../../dev/render'

async function openRun(job: string, outcome: string | undefined, search = '') {
  const opened = open('/account')
  await screen.findByRole('heading', { name: 'My account' })
  const run = opened.center.world.runs.find((each) => each.job_name === job && each.outcome === outcome)
  await opened.router.navigate({ href: `/runs/${run?.id}${search}` })
  return { ...opened, run }
}

it('says what happened, when and how far from due', async () => {
  await openRun('payment-report', 'failed')
  expect(await screen.findByText(/^Failed with exit status 3 after .* on web-0/)).toBeTruthy()
  const steps = screen.getAllByRole('listitem').map((item) => item.textContent ?? '')
  const journey = steps.filter((text) => /^(Planned|Sent|Accepted|Due|Started|Ended)/.test(text))
  expect(journey.map((text) => /^[A-Z][a-z]+/.exec(text)?.[0])).toEqual([
    'Planned',
    'Sent',
    'Accepted',
    'Due',
    'Started',
    'Ended',
  ])
  expect(journey[1]).toContain('−11,988ms')
  expect(journey[3]).toContain('±0')
})

it.each([
  ['session-gc', 'missed', 'Missed: the agent was out of reach.'],
  ['certificate-check', 'lost', 'Lost: the agent died around the start and left no proof either way.'],
  ['import-prices', 'skipped', 'Skipped: the previous run was still alive.'],
])('explains why %s was %s', async (job, outcome, sentence) => {
  await openRun(job, outcome)
  expect(await screen.findByText(sentence)).toBeTruthy()
})

it('draws output as text with colours and never as markup', async () => {
  await openRun('payment-report', 'failed')
  const log = await screen.findByRole('log')
  expect(await within(log).findByText(/<b>not markup<\/b>/)).toBeTruthy()
  expect(log.querySelector('b')).toBeNull()
  expect(within(log).getByText('ok').style.color).toBe('var(--sgr-2)')
})

it('filters by stream and finds text', async () => {
  const { user, router } = await openRun('payment-report', 'failed', '?stream=stderr')
  const log = await screen.findByRole('log')
  await waitFor(() => expect(log.querySelectorAll('[data-index]')).toHaveLength(2))
  await user.type(screen.getByRole('searchbox', { name: 'Search in output' }), 'timeout')
  expect(await screen.findByText('1 of 1')).toBeTruthy()
  expect(log.querySelector('mark')?.textContent).toBe('timeout')
  expect(router.state.location.search).toEqual({ stream: 'stderr', q: 'timeout' })
})

it('follows live output and kills after asking by name', async () => {
  const { user, run } = await openRun('database-backup', undefined)
  const log = await screen.findByRole('log')
  expect(await within(log).findByText(/processed batch 0-49/)).toBeTruthy()
  await user.click(screen.getByRole('button', { name: 'Kill' }))
  const dialog = await screen.findByRole('dialog')
  expect(dialog.textContent).toContain('Kill run of “database-backup” on db-01?')
  await user.click(within(dialog).getByRole('button', { name: 'Kill' }))
  expect(await screen.findByText(/^Killed by admin/)).toBeTruthy()
  expect(run?.outcome).toBe('killed')
})

it('says not here for what does not exist or is not mine', async () => {
  open('/runs/00000005-0000-7000-8000-999999999999', { as: 'viktor' })
  expect(await screen.findByRole('heading', { name: 'Not here' })).toBeTruthy()
})
