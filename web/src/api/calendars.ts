import { keepPreviousData, queryOptions } from '@tanstack/react-query'
import { api, take } from './client'
import type { CalendarCreate, CalendarReadRequest, CalendarSpec } from './types'

/** Calendars that jobs of my groups can follow: those of the program, of the fleet and of my groups. */
export const calendarsQuery = queryOptions({
  queryKey: ['calendars', 'list'],
  queryFn: ({ signal }) => take(api.GET('/api/v1/calendars', { signal })),
})

/** A calendar that people keep. */
export const calendarQuery = (id: string) =>
  queryOptions({
    queryKey: ['calendars', 'one', id],
    queryFn: ({ signal }) => take(api.GET('/api/v1/calendars/{id}', { params: of(id), signal })),
  })

/** The days of a year that count in a calendar, saved or not. The last year stays in sight until the next is there. */
export const yearQuery = (spec: CalendarSpec, year: number) =>
  queryOptions({
    queryKey: ['calendars', 'year', spec, year],
    queryFn: ({ signal }) => take(api.POST('/api/v1/calendars/preview', { body: { spec, year }, signal })),
    placeholderData: keepPreviousData,
    retry: false,
    gcTime: 60_000,
  })

const of = (id: string) => ({ path: { id } })

export const createCalendar = (body: CalendarCreate) => take(api.POST('/api/v1/calendars', { body }))
export const replaceCalendar = (id: string, version: number, spec: CalendarSpec) =>
  take(
    api.PUT('/api/v1/calendars/{id}', {
      params: { ...of(id), header: { 'If-Match': `"${version}"` } },
      body: { spec },
    }),
  )
export const deleteCalendar = (id: string) => take(api.DELETE('/api/v1/calendars/{id}', { params: of(id) }))
/** The days of the events of an iCalendar file. Stores nothing. */
export const readCalendar = (body: CalendarReadRequest) => take(api.POST('/api/v1/calendars/read', { body }))
