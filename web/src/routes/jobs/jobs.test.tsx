import { screen, waitFor, within } from '@testing-library/react'
import i18next from 'i18next'
import { expect, it } from 'vitest'
import { open } from '../../dev/render'
import { chooseLanguage } from '../../i18n'

it('lists jobs with their sentence, last runs and actions', async () => {
  open('/jobs')
  const row = (await screen.findByRole('link', { name: 'import-prices' })).closest(
    '[role="row"]',
  ) as HTMLElement
  expect(within(row).getByText('Every 15 minutes.')).toBeTruthy()
  expect(within(row).getAllByRole('link', { name: /Skipped · / }).length).toBeGreaterThan(2)
  expect(within(row).getByRole('button', { name: 'Run import-prices now' })).toBeTruthy()
})

it('pauses in place and offers the way back', async () => {
  const { user, center } = open('/jobs')
  await user.click(await screen.findByRole('button', { name: 'Pause session-gc' }))
  expect(await screen.findByRole('button', { name: 'Resume session-gc' })).toBeTruthy()
  await user.click(await screen.findByRole('button', { name: 'Undo' }))
  await waitFor(() =>
    expect(center.world.jobs.find((job) => job.spec.name === 'session-gc')?.is_paused).toBe(false),
  )
})

it('keeps filters in the address', async () => {
  const { user, router } = open('/jobs?kind=daemon')
  expect(await screen.findByRole('link', { name: 'order-consumer' })).toBeTruthy()
  expect(screen.queryByRole('link', { name: 'heartbeat' })).toBeNull()
  await user.type(screen.getByRole('searchbox', { name: 'Search jobs' }), 'mail')
  await waitFor(() => expect(router.state.location.href).toBe('/jobs?kind=daemon&q=mail'))
  await waitFor(() => expect(screen.queryByRole('link', { name: 'order-consumer' })).toBeNull())
})

it('draws only what fits of 10,000 jobs', async () => {
  open('/jobs', { as: 'admin', manyJobs: 10_000 })
  await screen.findByRole('link', { name: 'certificate-check' })
  expect(screen.getAllByRole('row').length).toBeLessThan(60)
})

it('shows a viewer no action and nothing of other groups', async () => {
  open('/jobs', { as: 'viktor' })
  expect(await screen.findByRole('link', { name: 'order-consumer' })).toBeTruthy()
  expect(screen.queryByRole('button', { name: /^(Run|Pause) / })).toBeNull()
  expect(screen.queryByRole('link', { name: 'heartbeat' })).toBeNull()
  expect(screen.queryByRole('link', { name: 'New job' })).toBeNull()
  expect(screen.queryByRole('link', { name: 'Users' })).toBeNull()
})

it('switches the language without a reload', async () => {
  open('/jobs')
  expect(await screen.findByText('Every 15 minutes.')).toBeTruthy()
  await chooseLanguage('zh-CN')
  expect(await screen.findByText('每 15 分钟。')).toBeTruthy()
  expect(screen.getByRole('heading', { name: '作业' })).toBeTruthy()
  expect(document.documentElement.lang).toBe('zh-CN')
  await chooseLanguage('en')
  expect(i18next.language).toBe('en')
})

it('answers the keyboard', async () => {
  const { user, router } = open('/jobs')
  await screen.findByRole('link', { name: 'heartbeat' })
  await user.keyboard('/')
  expect(document.activeElement).toBe(screen.getByRole('searchbox', { name: 'Search jobs' }))
  await user.keyboard('gr')
  expect(router.state.location.pathname).toBe('/jobs')
  ;(document.activeElement as HTMLElement).blur()
  await user.keyboard('gr')
  await waitFor(() => expect(router.state.location.pathname).toBe('/runs'))
  await user.keyboard('n')
  await waitFor(() => expect(router.state.location.pathname).toBe('/jobs/new'))
})

it('finds jobs and actions in the palette and acts on Enter', async () => {
  const { user, router, center } = open('/runs')
  await screen.findByRole('heading', { name: 'Runs' })
  await user.keyboard('{Control>}k{/Control}')
  const field = await screen.findByRole('combobox', { name: 'Find jobs, agents, pages and actions' })
  await user.type(field, 'order')
  expect(await screen.findByRole('option', { name: /^order-consumer/, selected: true })).toBeTruthy()
  await user.keyboard('{ArrowDown}{Enter}')
  await waitFor(() =>
    expect(center.world.jobs.find((job) => job.spec.name === 'order-consumer')?.is_paused).toBe(true),
  )

  await user.keyboard('{Control>}k{/Control}')
  await user.type(
    await screen.findByRole('combobox', { name: 'Find jobs, agents, pages and actions' }),
    'order',
  )
  await screen.findByRole('option', { name: /^order-consumer/, selected: true })
  await user.keyboard('{Enter}')
  await waitFor(() => expect(router.state.location.pathname).toMatch(/^\/jobs\/0/))
})
