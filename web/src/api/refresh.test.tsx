import { screen, waitFor, within } from '@testing-library/react'
import { expect, it } from 'vitest'
import { open } from '../dev/render'

it('changes rows in place when an event tells of them', async () => {
  const { center } = open('/runs?job=00000004-0000-7000-8000-000000000004')
  const row = () => screen.getAllByRole('row')[1] as HTMLElement
  await waitFor(() => expect(within(row()).getByText('Running')).toBeTruthy())
  await screen.findByText('Live')
  const run = center.world.runs.find((each) => each.state === 'running')
  if (!run) throw new Error('no run is running')
  Object.assign(run, { state: 'ended', outcome: 'failed', exit_code: 9, ended_at: new Date().toISOString() })
  center.emit({ ...run, kind: 'run' })
  await waitFor(() => expect(within(row()).getByText('Failed')).toBeTruthy())
  // The rest of the row comes with the next refresh.
  await waitFor(() => expect(within(row()).getByText('exit 9')).toBeTruthy(), { timeout: 5_000 })
})
