/** One server-sent event. */
export interface ServerEvent {
  /** Event name; `message` when the server gave none. */
  readonly name: string
  readonly data: string
  /** Last id the server gave, if any. */
  readonly id: string | undefined
}

/**
 * Reads server-sent events (WHATWG HTML, section 9.2) from the body of an answer. Comments give an event named `comment`,
 * so that a reader can tell a living connection from a dead one.
 */
export async function* readEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<ServerEvent> {
  const reader = body
    .pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>)
    .getReader()
  let rest = ''
  let name = ''
  let data: string[] = []
  let id: string | undefined
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      rest += value
      // A CR at the very end may be half of a CRLF: leave it for the next piece.
      const lines = rest.split(/\r\n|\n|\r(?!$)/)
      rest = lines.pop() ?? ''
      for (const line of lines) {
        if (line === '') {
          if (data.length > 0) yield { name: name || 'message', data: data.join('\n'), id }
          name = ''
          data = []
        } else if (line.startsWith(':')) {
          yield { name: 'comment', data: line.slice(1).trim(), id }
        } else {
          const colon = line.indexOf(':')
          const field = colon < 0 ? line : line.slice(0, colon)
          const text = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '')
          if (field === 'event') name = text
          else if (field === 'data') data.push(text)
          else if (field === 'id') id = text
        }
      }
    }
  } finally {
    await reader.cancel().catch(() => undefined)
  }
}
