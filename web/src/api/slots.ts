import { queryOptions } from '@tanstack/react-query'
import { api, take } from './client'
import { everyPage } from './pages'
import type { Slot, SlotRestart } from './types'

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
      everyPage<Slot>((cursor) =>
        take(api.GET('/api/v1/slots', { params: { query: { ...filter, cursor, limit: 500 } }, signal })),
      ),
  })

export const processesQuery = (job: string, agent: string, index: number) =>
  queryOptions({
    queryKey: ['processes', job, agent, index],
    queryFn: ({ signal }) =>
      take(api.GET('/api/v1/processes', { params: { query: { job, agent, index, limit: 50 } }, signal })),
  })

export const restartSlots = (body: SlotRestart) => take(api.POST('/api/v1/slots/restart', { body }))
