import { useDebouncedValue } from '@mantine/hooks'
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { type ApiError, asApiError } from '../../api/error'
import { previewQuery, type Timing } from '../../api/schedules'
import type { Preview } from '../../api/types'

interface LivePreview {
  preview: Preview | undefined
  /** Why the expression is refused. */
  refusal: ApiError | undefined
  /** The answer belongs to what was typed before. */
  isStale: boolean
}

/** What a schedule means, a moment after the last key. The last good answer stays in sight while one types on. */
export function usePreview(timing: Timing, jobId: string | undefined, isOn: boolean): LivePreview {
  const { expression } = timing
  const [typed] = useDebouncedValue(expression, 200)
  const query = useQuery({
    ...previewQuery({ ...timing, expression: typed }, jobId),
    enabled: isOn && typed.trim() !== '',
    placeholderData: keepPreviousData,
  })
  const isStale = query.isPlaceholderData || typed !== expression
  const error = query.error && !isStale ? asApiError(query.error) : undefined
  return { preview: error ? undefined : query.data, refusal: error, isStale }
}
