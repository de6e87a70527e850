import { ApiError, asApiError, fromAnswer } from './error'

type Query = Record<string, string | number | boolean | null | undefined>

interface Init {
  query?: Query
  body?: unknown
  headers?: Record<string, string>
  signal?: AbortSignal
}

const BASE = '/api/v1'
const signedOutListeners = new Set<() => void>()

/** Calls back when an answer says that the session is over. Returns how to stop. */
export function onSignedOut(listener: () => void): () => void {
  signedOutListeners.add(listener)
  return () => signedOutListeners.delete(listener)
}

/** The address of an endpoint with its query; empty values are left out. */
export function address(path: string, query: Query = {}): string {
  const params = new URLSearchParams()
  for (const [key, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== '') params.set(key, String(value))
  }
  const text = params.toString()
  return text ? `${BASE}${path}?${text}` : BASE + path
}

/** Sends a request and gives the answer as it is, or throws an `ApiError`. */
export async function send(method: string, path: string, init: Init = {}): Promise<Response> {
  const headers: Record<string, string> = { Accept: 'application/json', ...init.headers }
  if (init.body !== undefined) headers['Content-Type'] = 'application/json'
  let response: Response
  try {
    response = await fetch(address(path, init.query), {
      method,
      headers,
      body: init.body === undefined ? undefined : JSON.stringify(init.body),
      signal: init.signal,
    })
  } catch (thrown) {
    if (init.signal?.aborted) throw thrown
    throw asApiError(thrown)
  }
  if (response.ok) return response
  const error = fromAnswer(response.status, await response.json().catch(() => undefined))
  if (response.status === 401 && error.code === 'auth.required')
    for (const listener of signedOutListeners) listener()
  throw error
}

async function json<T>(method: string, path: string, init?: Init): Promise<T> {
  const response = await send(method, path, init)
  if (response.status === 204) return undefined as T
  try {
    return (await response.json()) as T
  } catch {
    throw new ApiError(response.status, 'http.not_json', 'The answer is not JSON')
  }
}

export const get = <T>(path: string, query?: Query, signal?: AbortSignal) =>
  json<T>('GET', path, { query, signal })
export const post = <T>(path: string, body?: unknown, headers?: Record<string, string>) =>
  json<T>('POST', path, { body, headers })
export const put = <T>(path: string, body: unknown, headers?: Record<string, string>) =>
  json<T>('PUT', path, { body, headers })
export const patch = <T>(path: string, body: unknown) => json<T>('PATCH', path, { body })
export const del = (path: string) => json<void>('DELETE', path)
