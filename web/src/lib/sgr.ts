/**
 * Terminal output as styled pieces of text. Colours and weights (SGR) become styles; every other control sequence is
 * left out. The result is data: it is drawn as text nodes, so nothing in a job's output can become markup.
 */

/** A colour: one of the 16 of the terminal by number, or `#rrggbb`. */
export type Colour = number | string

/** How a piece of text looks. */
export interface Style {
  readonly fg?: Colour
  readonly bg?: Colour
  readonly isBold?: boolean
  readonly isDim?: boolean
  readonly isItalic?: boolean
  readonly isUnderlined?: boolean
  readonly isInverse?: boolean
  readonly isStruck?: boolean
}

/** Text of one style. */
export interface Piece {
  readonly text: string
  readonly style: Style
}

export const PLAIN: Style = {}

// CSI … final byte, OSC … BEL or ST, other two-character escapes, an unfinished one at the end, and stray control characters.
const CONTROL =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this reads
  /\x1b\[([0-9;:?<=>]*)[ -/]*([@-~])|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[PX^_][^\x1b]*(?:\x1b\\)?|\x1b[ -/]*[0-~]?|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f]/g

/** Parts one line into pieces, starting in `style`; `end` is the style in force behind it. */
export function pieces(line: string, style: Style): { pieces: Piece[]; end: Style } {
  const made: Piece[] = []
  let now = style
  let from = 0
  for (const match of line.matchAll(CONTROL)) {
    if (match.index > from) made.push({ text: line.slice(from, match.index), style: now })
    from = match.index + match[0].length
    if (match[2] === 'm') now = apply(now, match[1] ?? '')
  }
  if (from < line.length) made.push({ text: line.slice(from), style: now })
  return { pieces: made, end: now }
}

/** The style in force behind a line. */
export function styleAfter(line: string, style: Style): Style {
  return line.includes('\x1b') ? pieces(line, style).end : style
}

/** The line without any control sequence. */
export function plain(line: string): string {
  return line.replace(CONTROL, '')
}

function apply(style: Style, codes: string): Style {
  const list = codes === '' ? [0] : codes.split(/[;:]/).map(Number)
  let next: Style = style
  for (let at = 0; at < list.length; at += 1) {
    const code = list[at] ?? 0
    if (code === 38 || code === 48) {
      const { colour, used } = extended(list, at + 1)
      at += used
      if (colour !== undefined) next = { ...next, [code === 38 ? 'fg' : 'bg']: colour }
    } else {
      next = single(next, code)
    }
  }
  return next
}

function single(style: Style, code: number): Style {
  if (code >= 30 && code <= 37) return { ...style, fg: code - 30 }
  if (code >= 40 && code <= 47) return { ...style, bg: code - 40 }
  if (code >= 90 && code <= 97) return { ...style, fg: code - 82 }
  if (code >= 100 && code <= 107) return { ...style, bg: code - 92 }
  switch (code) {
    case 0:
      return PLAIN
    case 1:
      return { ...style, isBold: true }
    case 2:
      return { ...style, isDim: true }
    case 3:
      return { ...style, isItalic: true }
    case 4:
      return { ...style, isUnderlined: true }
    case 7:
      return { ...style, isInverse: true }
    case 9:
      return { ...style, isStruck: true }
    case 22:
      return { ...style, isBold: undefined, isDim: undefined }
    case 23:
      return { ...style, isItalic: undefined }
    case 24:
      return { ...style, isUnderlined: undefined }
    case 27:
      return { ...style, isInverse: undefined }
    case 29:
      return { ...style, isStruck: undefined }
    case 39:
      return { ...style, fg: undefined }
    case 49:
      return { ...style, bg: undefined }
    default:
      return style
  }
}

/** Reads `5;n` or `2;r;g;b` behind 38 or 48. */
function extended(list: readonly number[], at: number): { colour: Colour | undefined; used: number } {
  if (list[at] === 5) return { colour: indexed(list[at + 1] ?? 0), used: 2 }
  if (list[at] === 2) return { colour: hex(list[at + 1], list[at + 2], list[at + 3]), used: 4 }
  return { colour: undefined, used: 1 }
}

function indexed(index: number): Colour {
  if (index < 16) return index
  if (index >= 232) {
    const grey = 8 + (index - 232) * 10
    return hex(grey, grey, grey)
  }
  const step = (value: number) => (value === 0 ? 0 : 55 + value * 40)
  const cube = index - 16
  return hex(step(Math.floor(cube / 36)), step(Math.floor(cube / 6) % 6), step(cube % 6))
}

function hex(...parts: (number | undefined)[]): string {
  const two = (part = 0) =>
    Math.min(255, Math.max(0, part | 0))
      .toString(16)
      .padStart(2, '0')
  return `#${parts.map(two).join('')}`
}
