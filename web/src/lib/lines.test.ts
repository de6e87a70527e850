import { describe, expect, it } from 'vitest'
import { type Chunk, findLines, LINE_CHARS_MAX, LINES_MAX, LineBuffer } from './lines'

const at = '2026-11-22T08:00:00Z'
const out = (text: string): Chunk => ({ at, stream: 'stdout', text })
const err = (text: string): Chunk => ({ at, stream: 'stderr', text })

function texts(...chunks: Chunk[]): string[] {
  const buffer = new LineBuffer()
  for (const chunk of chunks) buffer.append([chunk])
  return buffer.lines.map((line) => line.text)
}

describe('LineBuffer', () => {
  it('puts lines together across chunks', () => {
    expect(texts(out('one\ntw'), out('o\nth'), out('ree'))).toEqual(['one', 'two', 'three'])
  })

  it('keeps empty lines', () => {
    expect(texts(out('a\n\n\nb\n'))).toEqual(['a', '', '', 'b'])
    expect(texts(out('a'), out('\n'), out('\n'), out('b'))).toEqual(['a', '', 'b'])
  })

  it('lets each stream go on with its own line', () => {
    expect(texts(out('progress '), err('oops\n'), out('done\n'), err('more\n'))).toEqual([
      'progress done',
      'oops',
      'more',
    ])
  })

  it('starts a line over at a carriage return, also between chunks', () => {
    expect(texts(out('10%\r20%\r30%\n'))).toEqual(['30%'])
    expect(texts(out('10%\r'), out('20%'))).toEqual(['20%'])
    expect(texts(out('dos\r\nline\r\n')).map((line) => line.replace('\r', ''))).toEqual(['dos', 'line'])
  })

  it('carries colours over line ends', () => {
    const buffer = new LineBuffer()
    buffer.append([out('\x1b[31mred\nstill red\x1b[0m\nplain')])
    expect(buffer.lines.map((line) => line.style)).toEqual([{}, { fg: 1 }, {}])
  })

  it('marks gaps and begins anew behind them', () => {
    const buffer = new LineBuffer()
    buffer.append([out('head'), { at, stream: 'gap', text: '', dropped_bytes: 4_096 }, out('tail\n')])
    expect(buffer.lines.map((line) => [line.stream, line.text, line.droppedBytes])).toEqual([
      ['stdout', 'head', 0],
      ['gap', '', 4_096],
      ['stdout', 'tail', 0],
    ])
  })

  it('breaks endless lines', () => {
    const lines = texts(out('x'.repeat(LINE_CHARS_MAX * 2 + 5)))
    expect(lines.map((line) => line.length)).toEqual([LINE_CHARS_MAX, LINE_CHARS_MAX, 5])
  })

  it('lets the oldest lines go and keeps counting', () => {
    const buffer = new LineBuffer()
    buffer.append([out('x\n'.repeat(LINES_MAX + 10)), out('last')])
    expect(buffer.lines).toHaveLength(LINES_MAX)
    expect(buffer.letGo).toBe(11)
    expect(buffer.lines.at(-1)?.number).toBe(LINES_MAX + 11)
    buffer.append([out(' goes on\n')])
    expect(buffer.lines.at(-1)?.text).toBe('last goes on')
  })
})

describe('findLines', () => {
  it('ignores case and control sequences', () => {
    const buffer = new LineBuffer()
    buffer.append([out('an \x1b[31mEr\x1b[1mror\x1b[0m\nfine\nERROR\n')])
    expect(findLines(buffer.lines, 'error')).toEqual([0, 2])
    expect(findLines(buffer.lines, '')).toEqual([])
  })
})
