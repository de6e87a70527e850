/** Wait before attempt `failures + 1`, in ms: doubles from half a second to 15 s; `draw` in [0, 1) spreads it by a fifth either way. */
export function reconnectDelay(failures: number, draw: number): number {
  const base = Math.min(15_000, 500 * 2 ** Math.max(0, failures - 1))
  return base * (0.8 + 0.4 * draw)
}

/** Resolves after `ms`, or at once when the signal is aborted. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve()
    const done = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    signal.addEventListener('abort', done)
  })
}
