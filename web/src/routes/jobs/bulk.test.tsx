import { screen, waitFor, within } from '@testing-library/react'
import { expect, it } from 'vitest'
import { open } from '../../dev/render'

const choose = (job: string) => screen.findByRole('checkbox', { name: `Choose ${job}` })

it('pauses chosen jobs after it has shown them', async () => {
  const { user, center } = open('/jobs')
  await user.click(await choose('session-gc'))
  await user.click(await choose('heartbeat'))
  const bar = screen.getByRole('toolbar', { name: 'Chosen jobs' })
  expect(within(bar).getByText('2 jobs chosen')).toBeTruthy()
  await user.click(within(bar).getByRole('button', { name: 'Pause' }))
  const dialog = await screen.findByRole('dialog', { name: 'Pause jobs' })
  expect(await within(dialog).findByText(/2 jobs will be paused/)).toBeTruthy()
  const list = within(dialog).getByRole('list', { name: 'Jobs that are changed' })
  expect(within(list).getAllByRole('listitem')).toHaveLength(2)
  await user.click(within(dialog).getByRole('button', { name: 'Pause 2 jobs' }))
  const paused = () => center.world.jobs.filter((job) => job.is_paused).map((job) => job.spec.name)
  await waitFor(() => expect(paused()).toEqual(expect.arrayContaining(['session-gc', 'heartbeat'])))
  await waitFor(() => expect(screen.queryByRole('toolbar')).toBeNull())
})

it('changes all that match, also what is not loaded, and nothing else', async () => {
  const { user, center } = open('/jobs?kind=daemon', { as: 'admin', manyJobs: 1_000 })
  await user.click(await choose('order-consumer'))
  await user.click(screen.getByRole('button', { name: 'Choose all that match' }))
  expect(screen.getByText('All jobs that match are chosen')).toBeTruthy()
  const daemons = center.world.jobs.filter((job) => job.kind === 'daemon')
  await user.click(screen.getByRole('button', { name: 'More' }))
  await user.click(await screen.findByRole('menuitem', { name: 'Set a field…' }))
  const dialog = await screen.findByRole('dialog', { name: 'Set a field of jobs' })
  await user.type(within(dialog).getByRole('textbox', { name: /run as/i }), 'deploy')
  await user.click(within(dialog).getByRole('button', { name: 'Show what it does' }))
  await user.click(await within(dialog).findByRole('button', { name: `Change ${daemons.length} jobs` }))
  await waitFor(() => expect(daemons.every((job) => job.spec.run_as === 'deploy')).toBe(true))
  expect(center.world.jobs.some((job) => job.kind === 'scheduled' && job.spec.run_as === 'deploy')).toBe(
    false,
  )
})

it('says which jobs refuse, and does nothing', async () => {
  const { user, center } = open('/jobs')
  await user.click(await choose('order-consumer'))
  await user.click(await choose('heartbeat'))
  await user.click(screen.getByRole('button', { name: 'Run now' }))
  const dialog = await screen.findByRole('dialog', { name: 'Run jobs now' })
  const alert = await within(dialog).findByRole('alert')
  expect(within(alert).getByText(/order-consumer:/)).toBeTruthy()
  expect(within(alert).queryByText(/heartbeat/)).toBeNull()
  expect(within(dialog).queryByRole('button', { name: /^Run \d/ })).toBeNull()
  expect(center.world.runs.some((run) => run.cause === 'manual' && run.state === 'running')).toBe(false)
})

it('does nothing when a job was changed since it was shown', async () => {
  const { user, center } = open('/jobs')
  await user.click(await choose('heartbeat'))
  await user.click(screen.getByRole('button', { name: 'More' }))
  await user.click(await screen.findByRole('menuitem', { name: 'Delete…' }))
  const dialog = await screen.findByRole('dialog', { name: 'Delete jobs' })
  const confirm = await within(dialog).findByRole('button', { name: 'Delete 1 job' })
  const job = center.world.jobs.find((each) => each.spec.name === 'heartbeat')
  if (job) job.version += 1
  await user.click(confirm)
  expect(await within(dialog).findByText(/Jobs were changed since this was shown/)).toBeTruthy()
  expect(center.world.jobs.includes(job as never)).toBe(true)
  await user.click(within(dialog).getByRole('button', { name: 'Look again' }))
  await user.click(await within(dialog).findByRole('button', { name: 'Delete 1 job' }))
  await waitFor(() => expect(center.world.jobs.includes(job as never)).toBe(false))
})

it('lets a viewer choose nothing, and forgets what was chosen with other filters', async () => {
  open('/jobs', { as: 'viktor' })
  await screen.findByRole('link', { name: 'order-consumer' })
  expect(screen.queryByRole('checkbox')).toBeNull()
})
