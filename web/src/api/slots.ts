import { queryOptions } from '@tanstack/react-query'
import { get, post } from './client'
import { everyPage } from './pages'
import type { Page, Process, Slot, SlotRestart } from './types'

/** Filters of the daemons grid, as in the URL. */
export interface SlotFilter {
  job?: string
  agent?: string
  group?: string
}

export const slotsQuery = (filter: SlotFilter) =>
  queryOptions({
    queryKey: ['slots', filter],
    queryFn: ({ signal }) =>
      everyPage((cursor) => get<Page<Slot>>('/slots', { ...filter, cursor, limit: 500 }, signal)),
  })

export const processesQuery = (job: string, agent: string, index: number) =>
  queryOptions({
    queryKey: ['processes', job, agent, index],
    queryFn: ({ signal }) => get<Page<Process>>('/processes', { job, agent, index, limit: 50 }, signal),
  })

export const restartSlots = (request: SlotRestart) => post<void>('/slots/restart', request)
