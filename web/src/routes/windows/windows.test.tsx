import { screen, waitFor, within } from '@testing-library/react'
import { expect, it } from 'vitest'
import { open } from '../../dev/render'

/** Makes a window of the whole fleet that holds now. */
async function freeze(user: ReturnType<typeof open>['user']) {
  await user.click((await screen.findAllByRole('button', { name: 'New window' }))[0] as HTMLElement)
  const dialog = await screen.findByRole('dialog')
  await user.click(within(dialog).getByRole('combobox', { name: 'Holds' }))
  await user.click(await screen.findByRole('option', { name: 'Whole fleet' }))
  await user.type(within(dialog).getByLabelText('Reason'), 'year end')
  await user.type(within(dialog).getByLabelText('Until'), '2099-01-02T00:00')
  await user.click(within(dialog).getByRole('button', { name: 'Save' }))
  await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull())
}

it('makes a window, shows what it holds, and ends it after asking', async () => {
  const { user, center } = open('/windows')
  expect(await screen.findByText('No windows')).toBeTruthy()
  await freeze(user)
  const table = await screen.findByRole('table', { name: 'Windows' })
  expect(table.textContent).toContain('year end')
  expect(table.textContent).toContain('Whole fleet')
  expect(table.textContent).toContain('holds until')
  const held = center.world.jobs.filter((job) => job.frozen)
  expect(held.map((job) => job.kind)).not.toContain('daemon')
  expect(held.length).toBeGreaterThan(0)

  await user.click(screen.getByRole('button', { name: 'End window “year end”' }))
  const dialog = await screen.findByRole('dialog')
  expect(dialog.textContent).toContain('What was due until now stays skipped')
  await user.click(within(dialog).getByRole('button', { name: 'End window' }))
  expect(await screen.findByText('No windows')).toBeTruthy()
  expect(center.world.jobs.filter((job) => job.frozen)).toEqual([])
})

it('says on the page of a job what holds it, and runs it only after asking', async () => {
  const { user, router } = open('/windows')
  await freeze(user)
  await router.navigate({ to: '/jobs', search: {} })
  await user.click(await screen.findByRole('link', { name: 'session-gc' }))
  expect((await screen.findByText(/^Nothing of it starts until/)).textContent).toContain('year end')
  await user.click(screen.getByRole('button', { name: 'Run now' }))
  const dialog = await screen.findByRole('dialog')
  expect(dialog.textContent).toContain('A window holds it: year end')
})

it('shows people who may not make windows no controls', async () => {
  open('/windows', { as: 'viktor' })
  expect(await screen.findByText('No windows')).toBeTruthy()
  expect(screen.queryByRole('button', { name: 'New window' })).toBeNull()
})

it('snoozes a job, says by whom, and wakes it', async () => {
  const { user, center } = open('/jobs')
  await user.click(await screen.findByRole('link', { name: 'session-gc' }))
  await user.click(await screen.findByRole('button', { name: 'More actions' }))
  await user.click(await screen.findByRole('menuitem', { name: 'Snooze…' }))
  const dialog = await screen.findByRole('dialog')
  await user.click(within(dialog).getByRole('button', { name: '4 hours' }))
  await user.click(within(dialog).getByRole('button', { name: 'Snooze' }))
  const notice = await screen.findByText(/^Snoozed by admin until/)
  const job = center.world.jobs.find((each) => each.spec.name === 'session-gc')
  expect(Date.parse(job?.snooze?.until ?? '') - Date.now()).toBeGreaterThan(3.9 * 3_600_000)
  const region = notice.parentElement as HTMLElement
  await user.click(within(region).getByRole('button', { name: 'End snooze' }))
  await waitFor(() => expect(screen.queryByText(/^Snoozed by/)).toBeNull())
  expect(job?.snooze).toBeUndefined()
})
