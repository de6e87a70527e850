import type { Forecast } from '../../api/types'

/** The least height of a bar that stands for anything, in per cent: it must be seen beside the tallest. */
const PERCENT_MIN = 4

export interface Bar {
  /** Milliseconds since the epoch. */
  from: number
  until: number
  starts: number
  /** Share of the tallest bar. */
  percent: number
}

/** One bar for each bucket; the first and the last end where the forecast does. */
export function bars(
  forecast: Pick<Forecast, 'from' | 'until' | 'first_bucket' | 'bucket_seconds' | 'total'>,
) {
  const counts = forecast.total.starts_per_bucket
  const most = Math.max(1, ...counts)
  const [begin, end] = [Date.parse(forecast.from), Date.parse(forecast.until)]
  const length = forecast.bucket_seconds * 1_000
  return counts.map((starts, nth): Bar => {
    const from = Date.parse(forecast.first_bucket) + nth * length
    return {
      from: Math.max(from, begin),
      until: Math.min(from + length, end),
      starts,
      percent: starts === 0 ? 0 : Math.max(PERCENT_MIN, (100 * starts) / most),
    }
  })
}
