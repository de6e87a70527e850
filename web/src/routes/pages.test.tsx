import { screen, waitFor, within } from '@testing-library/react'
import { expect, it } from 'vitest'
import { open } from '../dev/render'

it('shows daemons with what is wrong first, and restarts after asking', async () => {
  const { user } = open('/daemons')
  const headings = await screen.findAllByRole('heading', { level: 2 })
  expect(headings.map((heading) => heading.textContent)).toEqual(['mail-sender', 'order-consumer'])
  expect(screen.getAllByText('last ended with exit 1')).toHaveLength(2)
  expect(screen.getAllByText(/535 5.7.8 authentication failed/)).toHaveLength(2)
  await user.click(screen.getByRole('button', { name: 'Restart order-consumer on web-01' }))
  const dialog = await screen.findByRole('dialog')
  expect(dialog.textContent).toContain('Restart 3 processes of “order-consumer” on web-01?')
})

it('lets a waiting agent in after showing its key', async () => {
  const { user, center } = open('/agents')
  await user.click(await screen.findByRole('button', { name: 'Look at edge-07' }))
  const dialog = await screen.findByRole('dialog')
  expect(dialog.textContent).toContain('4f3a 91c0 7d55')
  await user.click(within(dialog).getByRole('button', { name: 'Let it in' }))
  await waitFor(() =>
    expect(center.world.agents.find((agent) => agent.name === 'edge-07')?.state).toBe('active'),
  )
})

it('tells an administrator which center plans and which one is gone', async () => {
  open('/agents')
  const centers = await screen.findByRole('region', { name: 'Centers' })
  expect(centers.textContent).toContain('center-aplans2 agents')
  expect(centers.textContent).toContain('center-bserves3 agents · this one')
  expect(centers.textContent).toContain('center-cgone')
})

it('mints a join token and shows the command once', async () => {
  const { user } = open('/agents?add=1')
  await user.click(await screen.findByRole('button', { name: 'Make the command' }))
  expect(await screen.findByText(/^cronfleet agent join --center .* --token cfj_/)).toBeTruthy()
})

it('gives and takes roles as an owner', async () => {
  const { user, center } = open('/groups/00000002-0000-7000-8000-000000000000')
  await user.click(await screen.findByRole('button', { name: 'Remove Viktor Viewer from shop' }))
  await user.click(within(await screen.findByRole('dialog')).getByRole('button', { name: 'Remove' }))
  await waitFor(() =>
    expect(center.world.groups[0]?.members.map((member) => member.login)).not.toContain('viktor'),
  )
})

it('shows a plain member of a group no controls', async () => {
  open('/groups/00000002-0000-7000-8000-000000000000', { as: 'viktor' })
  expect(await screen.findByText('Olga Operator')).toBeTruthy()
  expect(screen.queryByRole('button', { name: /Remove|Edit/ })).toBeNull()
})

it('creates users and says what is taken', async () => {
  const { user, center } = open('/users')
  await user.click(await screen.findByRole('button', { name: 'New user' }))
  const dialog = await screen.findByRole('dialog')
  await user.type(within(dialog).getByLabelText('Login'), 'olga')
  await user.type(within(dialog).getByLabelText('Password'), 'a very long password')
  await user.click(within(dialog).getByRole('button', { name: 'Create user' }))
  expect(await within(dialog).findByText('Another user has this login.')).toBeTruthy()
  await user.type(within(dialog).getByLabelText('Login'), '2')
  await user.click(within(dialog).getByRole('button', { name: 'Create user' }))
  await waitFor(() => expect(center.world.users.map((each) => each.login)).toContain('olga2'))
})

it('says so when there is no such page', async () => {
  open('/nowhere')
  expect(await screen.findByRole('heading', { name: 'No such page' })).toBeTruthy()
})
