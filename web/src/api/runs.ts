import { queryOptions } from '@tanstack/react-query'
import { get, post } from './client'
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
export const RUNS_PAGE = 100

export const runsPage = (
  filter: RunFilter,
  cursor: string | undefined,
  signal?: AbortSignal,
  limit = RUNS_PAGE,
) => get<Page<Run>>('/runs', { ...filter, cursor, limit }, signal)

export const runsKey = (filter: RunFilter) => ['runs', 'list', filter] as const

export const runQuery = (id: string) =>
  queryOptions({
    queryKey: ['runs', id],
    queryFn: ({ signal }) => get<Run>(`/runs/${id}`, undefined, signal),
  })

/** The newest runs under a filter. */
export const recentRunsQuery = (filter: RunFilter, limit: number) =>
  queryOptions({
    queryKey: ['runs', 'recent', filter, limit],
    queryFn: ({ signal }) => runsPage(filter, undefined, signal, limit),
  })

export const killRun = (id: string) => post<Run>(`/runs/${id}/kill`)
