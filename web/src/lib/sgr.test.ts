import { describe, expect, it } from 'vitest'
import { PLAIN, pieces, plain, styleAfter } from './sgr'

const of = (line: string) => pieces(line, PLAIN).pieces

describe('pieces', () => {
  it('parts a line by its colours', () => {
    expect(of('\x1b[31mred\x1b[0m plain')).toEqual([
      { text: 'red', style: { fg: 1 } },
      { text: ' plain', style: {} },
    ])
  })

  it('reads 256 colours and true colour, with semicolons and colons', () => {
    expect(of('\x1b[38;5;196mx')[0]?.style).toEqual({ fg: '#ff0000' })
    expect(of('\x1b[48;2;1;2;300mx')[0]?.style).toEqual({ bg: '#0102ff' })
    expect(of('\x1b[38:5:9mx')[0]?.style).toEqual({ fg: 9 })
    expect(of('\x1b[38;5;240mx')[0]?.style).toEqual({ fg: '#585858' })
  })

  it('reads several codes at once and takes single ones back', () => {
    expect(of('\x1b[1;4;92;41mx')[0]?.style).toEqual({ isBold: true, isUnderlined: true, fg: 10, bg: 1 })
    expect(of('\x1b[1;31mx\x1b[22;39my')[1]?.style).toEqual({})
  })

  it('leaves out every other control sequence', () => {
    expect(plain('\x1b[2Ka\x1b[10;5Hb\x1b]0;title\x07c\x1b(Bd\x1b7e\x08f\x1bPq#0\x1b\\g')).toBe('abcdefg')
  })

  it('leaves out a sequence that is cut off', () => {
    expect(plain('done\x1b[3')).not.toContain('\x1b')
    expect(plain('done\x1b')).toBe('done')
    expect(plain('done\x1b]8;;http://x')).toBe('done')
  })

  it('keeps markup as text', () => {
    expect(of('<script>alert(1)</script>')).toEqual([{ text: '<script>alert(1)</script>', style: {} }])
  })

  it('carries the style over to the next line', () => {
    expect(styleAfter('\x1b[33mwarning', PLAIN)).toEqual({ fg: 3 })
    expect(styleAfter('goes on', { fg: 3 })).toEqual({ fg: 3 })
  })

  it('answers hostile input quickly', () => {
    const hostile = '\x1b['.repeat(50_000) + '\x1b]'.repeat(20_000) + '\x1bP'.repeat(20_000)
    const begin = performance.now()
    plain(hostile)
    expect(performance.now() - begin).toBeLessThan(1_000)
  })
})
