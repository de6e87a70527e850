import { queryOptions } from '@tanstack/react-query'
import { api, take } from './client'
import type { ForecastChangeRequest } from './types'

/** What a forecast is about; everything that the caller may see when empty. */
export interface ForecastFilter {
  group?: string
  agent?: string
}

/** How long an answer holds in ms: a forecast takes the center a while, and schedules do not change by the second. */
const HOLDS = 60_000

/** The load of the next 24 hours. */
export const forecastQuery = (filter: ForecastFilter) =>
  queryOptions({
    queryKey: ['forecast', filter],
    queryFn: ({ signal }) =>
      take(api.GET('/api/v1/forecast', { params: { query: { ...filter, hours: 24 } }, signal })),
    staleTime: HOLDS,
    refetchInterval: 5 * HOLDS,
    retry: false,
  })

/** What saving a definition would make of the load of the next 24 hours. */
export const forecastChangeQuery = (request: ForecastChangeRequest) =>
  queryOptions({
    queryKey: ['forecast', 'change', request],
    queryFn: ({ signal }) => take(api.POST('/api/v1/forecast/change', { body: request, signal })),
    staleTime: HOLDS,
    gcTime: HOLDS,
    retry: false,
  })
