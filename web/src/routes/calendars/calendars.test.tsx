import { screen, within } from '@testing-library/react'
import { expect, it } from 'vitest'
import { replaceCalendar } from '../../api/calendars'
import { open } from '../../dev/render'

/** Makes a calendar of the whole fleet with Monday to Friday; its page is open to be edited then. */
async function make(user: ReturnType<typeof open>['user'], name: string) {
  await user.click(await screen.findByRole('button', { name: 'New calendar' }))
  const dialog = await screen.findByRole('dialog')
  await user.type(within(dialog).getByLabelText('Name'), name)
  await user.click(within(dialog).getByRole('combobox', { name: 'For' }))
  await user.click(await screen.findByRole('option', { name: 'Whole fleet' }))
  await user.click(within(dialog).getByRole('button', { name: 'Create calendar' }))
  await screen.findByText('Choose a day to turn it around.')
}

/** Leaves the calendar open to be edited, in a year that is known. */
const goTo2026 = ({ router }: Pick<ReturnType<typeof open>, 'router'>) =>
  router.navigate({ to: '.', search: { edit: '1', year: '2026' } })

it('makes a calendar, turns days around, saves them and shows the year', async () => {
  const { user, router } = open('/calendars')
  await make(user, 'open-days')
  await goTo2026({ router })
  expect(await screen.findByText('261 days count')).toBeTruthy()
  await user.click(screen.getByRole('button', { name: 'Thursday, December 24, 2026: counts' }))
  const christmas = { name: 'Thursday, December 24, 2026: does not count, by its date' }
  expect(await screen.findByRole('button', christmas)).toBeTruthy()
  await user.click(screen.getByRole('button', { name: 'Saturday, December 26, 2026: does not count' }))
  await screen.findByRole('button', { name: 'Saturday, December 26, 2026: counts, by its date' })
  await user.click(screen.getByRole('button', { name: 'Sunday, December 27, 2026: does not count' }))
  expect(await screen.findByText('262 days count')).toBeTruthy()
  await user.click(screen.getByRole('button', { name: 'Save' }))
  expect(await screen.findByRole('button', { name: 'Edit' })).toBeTruthy()
  expect(await screen.findByText('262 days count')).toBeTruthy()
  expect(screen.queryByText('Choose a day to turn it around.')).toBeNull()
})

it('does not overwrite what somebody else has saved meanwhile', async () => {
  const { user, router, client } = open('/calendars')
  await make(user, 'open-days')
  await goTo2026({ router })
  const day = await screen.findByRole('button', { name: 'Thursday, December 24, 2026: counts' })
  const id = router.state.location.pathname.split('/').at(-1) ?? ''
  const spec = { name: 'open-days', weekdays: ['SUN'], days_in: [], days_out: [] }
  await replaceCalendar(id, 1, spec)
  await client.invalidateQueries({ queryKey: ['calendars', 'one'] })
  await user.click(day)
  await user.click(screen.getByRole('button', { name: 'Save' }))
  expect(await screen.findByText('Somebody else has saved the calendar meanwhile.')).toBeTruthy()
})

it('shows the days of a file before they are taken', async () => {
  const { user, router } = open('/calendars')
  await make(user, 'open-days')
  await goTo2026({ router })
  expect(await screen.findByText('261 days count')).toBeTruthy()
  await user.click(screen.getByRole('button', { name: 'Import .ics…' }))
  const dialog = await screen.findByRole('dialog')
  const event = (day: string) => `BEGIN:VEVENT\nDTSTART;VALUE=DATE:${day}\nEND:VEVENT\n`
  const text = `BEGIN:VCALENDAR\n${event('20261224')}${event('20261225')}END:VCALENDAR\n`
  const input = document.querySelector<HTMLInputElement>('input[type=file]')
  await user.upload(input as HTMLInputElement, new File([text], 'holidays.ics'))
  const preview = await within(dialog).findByRole('region', { name: 'Days of the file' })
  expect(preview.textContent).toContain('2 days of 2 events')
  expect(preview.textContent).toContain('2026-12-24 – 2026-12-25')
  await user.click(within(dialog).getByRole('button', { name: 'Take these days' }))
  expect(await screen.findByText('259 days count')).toBeTruthy()
})

it('lets jobs follow a calendar, and does not delete it under them', async () => {
  const { user, router, center } = open('/calendars')
  await make(user, 'open-days')
  await router.navigate({ to: '/jobs/new', search: {} })
  await screen.findByTestId('sentence')
  await user.click(screen.getByLabelText('Calendar', { selector: 'input' }))
  await user.click(await screen.findByRole('option', { name: 'open-days' }))
  const job = center.world.jobs.find((each) => each.kind === 'scheduled')
  if (job?.spec.scheduled) job.spec.scheduled.calendar = { name: 'open-days', mode: 'include' }
  await router.navigate({ to: '/calendars', search: {} })
  await user.click(await screen.findByRole('link', { name: 'open-days' }))
  await user.click(await screen.findByRole('button', { name: 'Delete' }))
  const dialog = await screen.findByRole('dialog')
  await user.click(within(dialog).getByRole('button', { name: 'Delete' }))
  expect(await within(dialog).findByText(/Jobs follow the calendar/)).toBeTruthy()
})

it('shows what is part of the program to everybody, and nothing to change', async () => {
  const { user } = open('/calendars', { as: 'viktor' })
  await user.click(await screen.findByRole('link', { name: 'working days, mainland China' }))
  expect(await screen.findByRole('region', { name: /^January/ })).toBeTruthy()
  expect(screen.queryByRole('button', { name: 'Edit' })).toBeNull()
  await user.click(screen.getAllByRole('link', { name: 'Calendars' }).at(-1) as HTMLElement)
  await screen.findByRole('table', { name: 'Calendars' })
  expect(screen.queryByRole('button', { name: 'New calendar' })).toBeNull()
})
