import { expect, it } from 'vitest'
import { bars } from './bars'

const load = (starts_per_bucket: number[]) => ({
  starts: 0,
  starts_per_bucket,
  peak_jobs: [],
  peak_job_count: 0,
  busy_ms: 0,
})

it('draws a bar for each bucket, and none beyond the ends', () => {
  const shown = bars({
    from: '2026-11-23T10:07:00Z',
    until: '2026-11-23T10:52:00Z',
    first_bucket: '2026-11-23T10:00:00Z',
    bucket_seconds: 900,
    total: load([1, 0, 200, 50]),
  })
  expect(shown.map((bar) => bar.percent)).toEqual([4, 0, 100, 25])
  const minutes = shown.map((bar) => (bar.until - bar.from) / 60_000)
  expect(minutes).toEqual([8, 15, 15, 7])
})

it('has no height where nothing starts', () => {
  const shown = bars({
    from: '2026-11-23T10:00:00Z',
    until: '2026-11-23T11:00:00Z',
    first_bucket: '2026-11-23T10:00:00Z',
    bucket_seconds: 3_600,
    total: load([0]),
  })
  expect(shown[0]?.percent).toBe(0)
})
