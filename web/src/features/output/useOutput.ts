import { useEffect, useRef, useState } from 'react'
import { asApiError } from '../../api/error'
import { followOutput, outputPiece, outputTail } from '../../api/outputs'
import type { OutputPiece } from '../../api/types'
import { pause, reconnectDelay } from '../../lib/backoff'
import { type Chunk, type Line, LineBuffer } from '../../lib/lines'

/** Outputs up to this size are read whole; of larger ones that have ended, the end first. */
const WHOLE_MAX = 12 << 20
/** New lines are drawn at most this often. */
const DRAW_INTERVAL = 80

/** From where a large output is read. */
export type OutputView = 'end' | 'beginning'

export interface Output {
  lines: readonly Line[]
  /** Lines that are no longer in memory. */
  letGo: number
  state: 'loading' | 'live' | 'complete' | 'lost'
  /** What lies before the first line was left out. */
  isTail: boolean
  /** More lies behind the last line; `more` reads it. */
  hasMore: boolean
  error: unknown
}

interface Source {
  id: string | undefined
  /** The process is over: nothing new will be written. */
  isEnded: boolean
  /** Bytes written so far, if known. */
  size: number
  view: OutputView
}

const NOTHING: Output = {
  lines: [],
  letGo: 0,
  state: 'loading',
  isTail: false,
  hasMore: false,
  error: undefined,
}

/** Reads an output and, while its process lives, goes on as it is written. */
export function useOutput({ id, isEnded, size, view }: Source): Output & { more: () => void } {
  const [output, setOutput] = useState<Output>(NOTHING)
  const reader = useRef<Reader>(undefined)
  const wasEnded = useRef(isEnded)
  const sizeAtStart = useRef(size)
  // A reader that follows a living process sees its end in the stream; it must not start over when the run's row says so.
  wasEnded.current = isEnded
  sizeAtStart.current = size
  useEffect(() => {
    setOutput(NOTHING)
    if (!id) return
    const isLarge = wasEnded.current && sizeAtStart.current > WHOLE_MAX
    const started = new Reader(id, setOutput)
    reader.current = started
    void started.start(wasEnded.current, isLarge ? view : undefined)
    return () => started.stop()
  }, [id, view])
  return { ...output, more: () => reader.current?.more() }
}

class Reader {
  private readonly signal: AbortSignal
  private readonly aborter = new AbortController()
  private readonly buffer = new LineBuffer()
  private waiting: Chunk[] = []
  private timer: ReturnType<typeof setTimeout> | undefined
  private from = 0
  private isReading = false
  private now: Output = NOTHING

  constructor(
    private readonly id: string,
    private readonly show: (output: Output) => void,
  ) {
    this.signal = this.aborter.signal
  }

  stop(): void {
    this.aborter.abort()
    clearTimeout(this.timer)
  }

  async start(isEnded: boolean, part: OutputView | undefined): Promise<void> {
    try {
      if (!isEnded) await this.follow()
      else if (part === 'end') this.whole(await outputTail(this.id, this.signal), true)
      else if (part === 'beginning') await this.piece()
      else while (!(await this.piece())) if (this.signal.aborted) return
    } catch (error) {
      this.fail(error)
    }
  }

  /** Reads the next piece of a large output. */
  more(): void {
    if (!this.now.hasMore || this.isReading) return
    void this.piece().catch((error) => this.fail(error))
  }

  private async piece(): Promise<boolean> {
    this.isReading = true
    try {
      const piece = await outputPiece(this.id, this.from, this.signal)
      const isStuck = !piece.is_complete && piece.next_from === this.from
      this.whole(piece, false)
      return piece.is_complete || isStuck
    } finally {
      this.isReading = false
    }
  }

  private whole(piece: OutputPiece, isTail: boolean): void {
    this.from = piece.next_from
    this.buffer.append(piece.chunks)
    this.update({ state: 'complete', isTail: isTail || this.now.isTail, hasMore: !piece.is_complete })
  }

  private async follow(): Promise<void> {
    let failures = 0
    while (!this.signal.aborted) {
      try {
        this.update({ state: 'live' })
        const isComplete = await followOutput(this.id, this.from, this.signal, (chunk, next) => {
          failures = 0
          this.from = next
          this.take(chunk)
        })
        if (isComplete) {
          this.draw()
          this.update({ state: 'complete' })
          return
        }
      } catch (thrown) {
        const { status } = asApiError(thrown)
        if (this.signal.aborted || (status >= 400 && status < 500 && status !== 429)) throw thrown
      }
      failures += 1
      this.update({ state: 'lost' })
      await pause(reconnectDelay(failures, Math.random()), this.signal)
    }
  }

  private take(chunk: Chunk): void {
    this.waiting.push(chunk)
    this.timer ??= setTimeout(() => this.draw(), DRAW_INTERVAL)
  }

  private draw(): void {
    clearTimeout(this.timer)
    this.timer = undefined
    this.buffer.append(this.waiting)
    this.waiting = []
    this.update({})
  }

  private update(change: Partial<Output>): void {
    if (this.signal.aborted) return
    this.now = { ...this.now, ...change, lines: this.buffer.lines, letGo: this.buffer.letGo }
    this.show(this.now)
  }

  private fail(error: unknown): void {
    if (!this.signal.aborted) this.update({ state: 'complete', error })
  }
}
