import { describe, expect, it } from 'vitest'
import { readEvents, type ServerEvent } from './sse'

function body(...parts: (string | Uint8Array)[]): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder()
  return new ReadableStream({
    start(controller) {
      for (const part of parts) controller.enqueue(typeof part === 'string' ? encoder.encode(part) : part)
      controller.close()
    },
  })
}

async function all(stream: ReadableStream<Uint8Array>): Promise<ServerEvent[]> {
  const events: ServerEvent[] = []
  for await (const event of readEvents(stream)) events.push(event)
  return events
}

describe('readEvents', () => {
  it('reads names, data of several lines, ids and comments', async () => {
    expect(await all(body(': hi\n\nevent: chunk\nid: 7\ndata: a\ndata: b\n\ndata:c\n\n'))).toEqual([
      { name: 'comment', data: 'hi', id: undefined },
      { name: 'chunk', data: 'a\nb', id: '7' },
      { name: 'message', data: 'c', id: '7' },
    ])
  })

  it('puts together what arrives in pieces, also within a character and a line break', async () => {
    const bytes = new TextEncoder().encode('data: 中文\r\n\r\n')
    expect(await all(body(bytes.slice(0, 7), bytes.slice(7, 13), bytes.slice(13)))).toEqual([
      { name: 'message', data: '中文', id: undefined },
    ])
  })

  it('does not give an event that was cut off', async () => {
    expect(await all(body('data: whole\n\ndata: half'))).toHaveLength(1)
  })
})
