import { queryOptions } from '@tanstack/react-query'
import { api, take } from './client'
import type { PreviewRequest } from './types'

/** Everything that says when a job is due, apart from the job's id. */
export type Timing = Pick<
  PreviewRequest,
  'expression' | 'time_zone' | 'dst' | 'active_from' | 'active_until' | 'calendar' | 'group_id'
>

/** What a schedule means, as the center reads it. What is refused fails with field, column and hint. */
export const previewQuery = (timing: Timing, jobId?: string) =>
  queryOptions({
    queryKey: ['preview', timing, jobId ?? ''],
    queryFn: ({ signal }) =>
      take(
        api.POST('/api/v1/schedules/preview', {
          body: { ...timing, job_id: jobId, count: 10 },
          signal,
        }),
      ),
    retry: false,
    staleTime: 30_000,
    gcTime: 60_000,
  })
