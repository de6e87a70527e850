import { useSyncExternalStore } from 'react'

/** The center's clock as seen from here, and one ticking "now" that every relative time on the page shares. */

let offsetMs = 0
let shown = Date.now()
let timer: ReturnType<typeof setInterval> | undefined
const listeners = new Set<() => void>()

/** Takes the center's time, read at an instant of this machine's clock. Differences that the eye cannot see are left alone. */
export function adjustClock(centerNow: number, measuredAt: number): void {
  const offset = centerNow - measuredAt
  offsetMs = Math.abs(offset) < 1_000 ? 0 : offset
}

/** Milliseconds since the epoch on the center's clock. */
export function now(): number {
  return Date.now() + offsetMs
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener)
  timer ??= setInterval(() => {
    shown = now()
    for (const each of listeners) each()
  }, 1_000)
  return () => {
    listeners.delete(listener)
    if (listeners.size === 0) {
      clearInterval(timer)
      timer = undefined
    }
  }
}

function snapshot(): number {
  // The same answer until a second has passed: React asks twice and wants to hear the same.
  if (!timer && Math.abs(now() - shown) >= 1_000) shown = now()
  return shown
}

/** Now, renewed every second. */
export function useNow(): number {
  return useSyncExternalStore(subscribe, snapshot)
}
