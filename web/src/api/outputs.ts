import { readEvents } from '../lib/sse'
import { api, openStream, take } from './client'
import type { OutputChunk } from './types'

/** Bytes asked for at a time; the most that the center gives. */
const PIECE_BYTES = 1 << 20

export const outputPiece = (id: string, from: number, signal: AbortSignal) =>
  take(
    api.GET('/api/v1/outputs/{id}', {
      params: { path: { id }, query: { from, limit: PIECE_BYTES } },
      signal,
    }),
  )

export const outputTail = (id: string, signal: AbortSignal) =>
  take(api.GET('/api/v1/outputs/{id}', { params: { path: { id }, query: { tail: PIECE_BYTES } }, signal }))

/** Where the browser can download the bytes as they were written, or with the time before each line. */
export const rawAddress = (id: string, stream: 'stdout' | 'stderr' | 'both', hasTimes: boolean) =>
  `/api/v1/outputs/${id}/raw?stream=${stream}${hasTimes ? '&timestamps=true' : ''}`

/**
 * Chunks as they are written, from an offset on. Ends when the output is complete (`true`) or the connection is lost
 * (`false`); the caller asks again from where it stands.
 */
export async function followOutput(
  id: string,
  from: number,
  signal: AbortSignal,
  chunkCame: (chunk: OutputChunk, next: number) => void,
): Promise<boolean> {
  const body = await openStream(`/api/v1/outputs/${id}/stream?from=${from}`, signal)
  for await (const event of readEvents(body)) {
    if (event.name === 'end') return true
    if (event.name !== 'chunk') continue
    const chunk = JSON.parse(event.data) as OutputChunk
    chunkCame(chunk, Number(event.id ?? chunk.offset))
  }
  return false
}
