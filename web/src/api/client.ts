import createClient from 'openapi-fetch'
import { asApiError, fromAnswer } from './error'
import type { paths } from './schema'

/** The generated client: paths, parameters and bodies are checked against the center's description. */
export const api = createClient<paths>({ baseUrl: '', fetch: (request) => globalThis.fetch(request) })

const signedOutListeners = new Set<() => void>()

/** Calls back when an answer says that the session is over. Returns how to stop. */
export function onSignedOut(listener: () => void): () => void {
  signedOutListeners.add(listener)
  return () => signedOutListeners.delete(listener)
}

interface Called<T> {
  data?: T
  error?: unknown
  response: Response
}

/** The answer's body, or an `ApiError` for whatever went wrong. An aborted request stays an `AbortError`. */
export async function take<T>(call: Promise<Called<T>>): Promise<T> {
  const { data, error, response } = await call.catch(rethrow)
  if (response.ok) return data as T
  throw refused(response.status, error)
}

/** Opens a stream of server-sent events. */
export async function openStream(address: string, signal: AbortSignal): Promise<ReadableStream<Uint8Array>> {
  const headers = { Accept: 'text/event-stream' }
  const response = await fetch(address, { headers, signal }).catch(rethrow)
  if (response.ok && response.body) return response.body
  throw refused(response.status, await response.json().catch(() => undefined))
}

function rethrow(thrown: unknown): never {
  if (thrown instanceof DOMException && thrown.name === 'AbortError') throw thrown
  throw asApiError(thrown)
}

function refused(status: number, body: unknown) {
  const error = fromAnswer(status, body)
  if (error.code === 'auth.required') for (const listener of signedOutListeners) listener()
  return error
}

/** `true` and `false` as a URL spells them; anything else is no filter. */
export function flag(text: string | undefined): boolean | undefined {
  return text === 'true' ? true : text === 'false' ? false : undefined
}

/** One of the words that the interface knows; anything else, such as from an address edited by hand, is no filter. */
export function word<T extends string>(text: string | undefined, words: readonly T[]): T | undefined {
  return words.find((each) => each === text)
}
