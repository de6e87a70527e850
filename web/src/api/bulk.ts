import { api, flag, take, word } from './client'
import type { JobFilter } from './jobs'
import type { BulkChange, JobSelection } from './types'

/** Most jobs that are changed at once. */
export const BULK_JOBS_MAX = 10_000

/** The jobs that a list shows with these filters. */
export function selectionOf(filter: JobFilter): JobSelection {
  const { q, group, agent } = filter
  const kind = word(filter.kind, ['scheduled', 'daemon'])
  return { q, group, agent, kind, paused: flag(filter.paused) }
}

/** What a change of many jobs would do. */
export const planBulk = (filter: JobSelection, change: BulkChange, signal?: AbortSignal) =>
  take(api.POST('/api/v1/jobs/bulk/plan', { body: { filter, change }, signal }))

/** Does what a plan says, if it still says so. `key` makes running jobs safe to repeat. */
export const applyBulk = (filter: JobSelection, change: BulkChange, digest: string, key: string) =>
  take(
    api.POST('/api/v1/jobs/bulk/apply', {
      params: { header: { 'Idempotency-Key': key } },
      body: { filter, change, digest },
    }),
  )
