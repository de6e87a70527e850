import { PLAIN, plain, type Style, styleAfter } from './sgr'

/** Where a line was written. */
export type LineStream = 'stdout' | 'stderr' | 'gap'

/** One line of output. */
export interface Line {
  /** Counts from 1 over everything that was read, also lines that were let go. */
  readonly number: number
  /** When its first bytes were read, in ms since the epoch. */
  readonly at: number
  readonly stream: LineStream
  readonly text: string
  /** Style in force at its beginning. */
  readonly style: Style
  /** Bytes missing here, for `gap`. */
  readonly droppedBytes: number
}

/** Bytes as they come from the center. */
export interface Chunk {
  readonly at: string
  readonly stream: LineStream
  readonly text: string
  readonly dropped_bytes?: number | null
}

/** Longer lines are broken, so that one endless line cannot stop the page. */
export const LINE_CHARS_MAX = 8_192
/** More lines are not kept in memory; the oldest go first. */
export const LINES_MAX = 250_000

/** What a stream is in the middle of. */
interface Open {
  /** Index of its unfinished line; below 0 when it stands at the beginning of a new one. */
  index: number
  /** Style in force at the beginning of the next line. */
  style: Style
}

/**
 * Puts chunks together into lines. Standard output and standard error may interleave in the middle of a line; each
 * continues its own. A carriage return starts the line over, as on a terminal.
 */
export class LineBuffer {
  /** The lines; the array is replaced by `append`, never changed in place. */
  lines: readonly Line[] = []
  /** Lines let go because there were more than `LINES_MAX`. */
  letGo = 0
  private open: Record<'stdout' | 'stderr', Open> = start()

  append(chunks: readonly Chunk[]): void {
    if (chunks.length === 0) return
    const lines = this.lines.slice()
    for (const chunk of chunks) {
      if (chunk.stream === 'gap') {
        this.open = start()
        this.push(lines, chunk, PLAIN)
      } else {
        this.write(lines, chunk, this.open[chunk.stream])
      }
    }
    const excess = lines.length - LINES_MAX
    if (excess > 0) {
      lines.splice(0, excess)
      this.letGo += excess
      this.open.stdout.index -= excess
      this.open.stderr.index -= excess
    }
    this.lines = lines
  }

  private write(lines: Line[], chunk: Chunk, open: Open): void {
    const parts = chunk.text.split('\n')
    parts.forEach((part, nth) => {
      let text = part
      while (text !== '') {
        if (!lines[open.index]) open.index = this.push(lines, chunk, open.style)
        const line = lines[open.index]
        if (!line) return
        const room = LINE_CHARS_MAX - line.text.length
        lines[open.index] = { ...line, text: overwritten(line.text + text.slice(0, room)) }
        text = text.slice(room)
        if (text !== '') finish(lines, open)
      }
      if (nth === parts.length - 1) return
      if (!lines[open.index]) open.index = this.push(lines, chunk, open.style)
      finish(lines, open)
    })
  }

  /** Adds an empty line and tells its index. */
  private push(lines: Line[], chunk: Chunk, style: Style): number {
    const line = {
      number: this.letGo + lines.length + 1,
      at: Date.parse(chunk.at),
      stream: chunk.stream,
      text: '',
      style,
      droppedBytes: chunk.dropped_bytes ?? 0,
    }
    return lines.push(line) - 1
  }
}

function start(): Record<'stdout' | 'stderr', Open> {
  return { stdout: { index: -1, style: PLAIN }, stderr: { index: -1, style: PLAIN } }
}

/** Ends the unfinished line of a stream. */
function finish(lines: readonly Line[], open: Open): void {
  const line = lines[open.index]
  if (line) open.style = styleAfter(line.text, line.style)
  open.index = -1
}

/** What is left of a line after its carriage returns. One at the very end may still be half of a line break. */
function overwritten(text: string): string {
  if (!text.includes('\r')) return text
  const body = text.replace(/\r+$/, '')
  const tail = text.length > body.length ? '\r' : ''
  return body.slice(body.lastIndexOf('\r') + 1) + tail
}

/** Indexes of the lines that contain `query`, case ignored. */
export function findLines(lines: readonly Line[], query: string): number[] {
  const wanted = query.toLowerCase()
  const found: number[] = []
  if (wanted === '') return found
  lines.forEach((line, index) => {
    if (plain(line.text).toLowerCase().includes(wanted)) found.push(index)
  })
  return found
}
