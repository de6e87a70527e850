import { queryOptions } from '@tanstack/react-query'
import { api, take } from './client'

/** What an expression means, as the center reads it. A refused expression fails with field, column and hint. */
export const previewQuery = (expression: string, timeZone: string, jobId?: string) =>
  queryOptions({
    queryKey: ['preview', expression, timeZone, jobId ?? ''],
    queryFn: ({ signal }) =>
      take(
        api.POST('/api/v1/schedules/preview', {
          body: { expression, time_zone: timeZone, job_id: jobId, count: 10 },
          signal,
        }),
      ),
    retry: false,
    staleTime: 30_000,
    gcTime: 60_000,
  })
