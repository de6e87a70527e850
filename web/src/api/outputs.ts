import { readEvents } from '../lib/sse'
import { address, get, send } from './client'
import type { OutputChunk, OutputPiece } from './types'

/** Bytes asked for at a time; the most that the center gives. */
export const PIECE_BYTES = 1 << 20

export const outputPiece = (id: string, from: number, signal?: AbortSignal) =>
  get<OutputPiece>(`/outputs/${id}`, { from, limit: PIECE_BYTES }, signal)

export const outputTail = (id: string, signal?: AbortSignal) =>
  get<OutputPiece>(`/outputs/${id}`, { tail: PIECE_BYTES }, signal)

/** Where the browser can download the bytes as they were written. */
export const rawAddress = (id: string, stream: 'stdout' | 'stderr' | 'both') =>
  address(`/outputs/${id}/raw`, { stream })

/**
 * Chunks as they are written, from an offset on. Ends when the output is complete (`true`) or the connection is lost
 * (`false`); the caller asks again from where it stands.
 */
export async function followOutput(
  id: string,
  from: number,
  signal: AbortSignal,
  take: (chunk: OutputChunk, next: number) => void,
): Promise<boolean> {
  const response = await send('GET', `/outputs/${id}/stream`, {
    query: { from },
    headers: { Accept: 'text/event-stream' },
    signal,
  })
  if (!response.body) return false
  for await (const event of readEvents(response.body)) {
    if (event.name === 'end') return true
    if (event.name !== 'chunk') continue
    const chunk = JSON.parse(event.data) as OutputChunk
    take(chunk, Number(event.id ?? chunk.offset))
  }
  return false
}
