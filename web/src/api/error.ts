import i18next from 'i18next'
import type { Problem } from './types'

/** What an answer with an error status said, or that there was no answer. */
export class ApiError extends Error {
  override readonly name = 'ApiError'

  constructor(
    /** HTTP status; 0 when the center could not be reached. */
    readonly status: number,
    /** Stable code; `network` when the center could not be reached. */
    readonly code: string,
    message: string,
    readonly field?: string,
    /** 1-based character position inside the field. */
    readonly column?: number,
    readonly hint?: string,
    readonly requestId?: string,
    /** Everything that is wrong, where a request is about many things. */
    readonly problems: readonly Problem[] = [],
  ) {
    super(message)
  }

  /** One of the things that are wrong, as an error of its own. */
  of(code: string, message: string): ApiError {
    return new ApiError(this.status, code, message)
  }
}

/** Makes an `ApiError` of the body of an answer, whatever it holds. */
export function fromAnswer(status: number, body: unknown): ApiError {
  const detail = isObject(body) && isObject(body.error) ? body.error : undefined
  if (!detail) return new ApiError(status, `http.${status}`, `HTTP ${status}`)
  const text = (value: unknown) => (typeof value === 'string' ? value : undefined)
  return new ApiError(
    status,
    text(detail.code) ?? `http.${status}`,
    text(detail.message) ?? `HTTP ${status}`,
    text(detail.field),
    typeof detail.column === 'number' ? detail.column : undefined,
    text(detail.hint),
    text(detail.request_id),
    Array.isArray(detail.problems) ? (detail.problems as Problem[]) : [],
  )
}

/** Makes an `ApiError` of anything that was thrown. */
export function asApiError(thrown: unknown): ApiError {
  if (thrown instanceof ApiError) return thrown
  return new ApiError(0, 'network', thrown instanceof Error ? thrown.message : String(thrown))
}

/**
 * The sentence for people, in the language of the console. In English the center's own sentence about a refused value
 * comes first, since it names the piece that is wrong; other languages have a text per code. Errors inside the center
 * name the request instead of a cause.
 */
export function errorText(thrown: unknown): string {
  const error = asApiError(thrown)
  if (error.status === 422 && i18next.language === 'en' && !error.message.startsWith('HTTP '))
    return error.message
  const text =
    known(`errors.${error.code.replaceAll('.', '_')}`) ??
    known(error.code.replace(/^schedule\./, 'scheduleErrors.'))
  if (text) return text
  if (error.status >= 500)
    return i18next.t('errors.server', { code: error.code, request: error.requestId ?? '–' })
  return error.message
}

/** The hint in the language of the console: the center's are English, and the texts of other languages hold their own. */
export function errorHint(error: ApiError): string | undefined {
  const hint = i18next.language === 'en' ? error.hint : undefined
  return hint && hint.charAt(0).toUpperCase() + hint.slice(1)
}

/** The text of a key that is put together at run time. */
function known(key: string): string | undefined {
  return i18next.exists(key) ? String(i18next.t(key as never)) : undefined
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
