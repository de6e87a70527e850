import { queryOptions } from '@tanstack/react-query'
import { post } from './client'
import type { Preview } from './types'

/** What an expression means, as the center reads it. A refused expression fails with field, column and hint. */
export const previewQuery = (expression: string, timeZone: string, jobId?: string) =>
  queryOptions({
    queryKey: ['preview', expression, timeZone, jobId ?? ''],
    queryFn: () =>
      post<Preview>('/schedules/preview', {
        expression,
        time_zone: timeZone,
        job_id: jobId ?? null,
        count: 10,
      }),
    retry: false,
    staleTime: 30_000,
    gcTime: 60_000,
  })
