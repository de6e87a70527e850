import { queryOptions } from '@tanstack/react-query'
import { now } from '../lib/now'
import { api, take } from './client'
import type { Page, Run } from './types'

/** Filters of the list of runs, as in the URL. `state` and `outcome` may be comma lists. */
export interface RunFilter {
  job?: string
  agent?: string
  group?: string
  state?: string
  outcome?: string
  cause?: string
  from?: string
  to?: string
}

/** Rows asked for at a time. */
const RUNS_PAGE = 100

/** States of runs that are still to come; they are seen on request only. */
export const UPCOMING = 'planned,dispatched,accepted'

/**
 * One page of runs, newest first. The center plans some seconds ahead: without a filter for state or time, what is not due
 * yet is left out, or jobs that run every second would fill the first page with their future.
 */
export function runsPage(
  filter: RunFilter,
  cursor: string | undefined,
  signal?: AbortSignal,
): Promise<Page<Run>> {
  const to = filter.to ?? (filter.state ? undefined : new Date(now()).toISOString())
  const query = { ...filter, to, cursor, limit: RUNS_PAGE }
  return take(api.GET('/api/v1/runs', { params: { query }, signal }))
}

export const runsKey = (filter: RunFilter) => ['runs', 'list', filter] as const

export const runQuery = (id: string) =>
  queryOptions({
    queryKey: ['runs', id],
    queryFn: ({ signal }) => take(api.GET('/api/v1/runs/{id}', { params: { path: { id } }, signal })),
  })

export const killRun = (id: string) => take(api.POST('/api/v1/runs/{id}/kill', { params: { path: { id } } }))
