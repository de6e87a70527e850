import { fireEvent, screen, waitFor } from '@testing-library/react'
import { expect, it } from 'vitest'
import { open } from '../../dev/render'

const schedule = (text: string) =>
  fireEvent.change(screen.getByLabelText('Schedule'), { target: { value: text } })

const added = () => screen.findByRole('region', { name: 'Next 24 hours' }, { timeout: 4_000 })

it('tells what a new job adds before it has a name', async () => {
  open('/jobs/new')
  const lines = await added()
  expect(lines.textContent).toMatch(/Starts in one second on .*: \d+ → \d+ · /)
  expect(lines.textContent).toContain('How long its runs last is not known yet.')
})

it('warns of runs that would be skipped, and no longer once they are not', async () => {
  const { router } = open('/jobs?q=session-gc')
  const link = await screen.findByRole('link', { name: 'session-gc' })
  await router.navigate({ href: `${link.getAttribute('href')}/edit` })
  await screen.findByTestId('sentence')
  schedule('* * * * *')
  await waitFor(
    async () =>
      expect((await added()).textContent).toMatch(/Runs last up to 2m: 7\d\d of 14\d\d would be skipped/),
    { timeout: 4_000 },
  )
  schedule('0 * * * *')
  await waitFor(
    async () => expect((await added()).textContent).toContain('Runs last up to 2m, nine of ten times.'),
    { timeout: 4_000 },
  )
})

it('says nothing of a schedule that cannot be read', async () => {
  open('/jobs/new')
  await added()
  schedule('0 61 * * *')
  await screen.findByTestId('expression-pointer')
  expect(screen.queryByRole('region', { name: 'Next 24 hours' })).toBeNull()
})

it('charts the load ahead of an agent, with its peak and who makes it', async () => {
  const { center } = open('/agents')
  const agent = center.world.agents.find((each) => each.name === 'web-01')
  open(`/agents/${agent?.id}`)
  const chart = await screen.findByRole('img', { name: 'Starts in the next 24 hours' })
  expect(chart.children.length).toBeGreaterThanOrEqual(96)
  expect(chart.children[1]?.getAttribute('title')).toMatch(/to \d\d:\d\d: [\d,]+ starts?$/)
  expect(screen.getByText(/^At most \d+ starts in one second/).querySelector('a')).toBeTruthy()
})
