import { useSyncExternalStore } from 'react'
import { pause, reconnectDelay } from '../lib/backoff'
import { readEvents } from '../lib/sse'
import { openStream } from './client'
import { asApiError } from './error'
import type { Refresher } from './refresh'
import type { Event } from './types'

/**
 * How the page learns of changes: `live` by the event stream; `polling` while the stream fails; `connecting` before the
 * first answer; `asleep` while the page is hidden (browsers give one address only six connections at a time).
 */
export type Connection = 'connecting' | 'live' | 'polling' | 'asleep'

/** The center sends a comment every 15 s; silence for longer means that the connection is dead. */
const SILENCE_MAX = 40_000
const POLL_INTERVAL = 10_000
const HIDDEN_GRACE = 20_000

let connection: Connection = 'connecting'
const listeners = new Set<() => void>()

function setConnection(next: Connection): void {
  if (next === connection) return
  connection = next
  for (const listener of listeners) listener()
}

/** How the page learns of changes now. */
export function useConnection(): Connection {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    () => connection,
  )
}

/** Keeps the refresher fed until the returned function is called. */
export function followEvents(refresher: Refresher): () => void {
  const stop = new AbortController()
  void follow(refresher, stop.signal)
  return () => {
    stop.abort()
    refresher.stop()
    setConnection('connecting')
  }
}

async function follow(refresher: Refresher, signal: AbortSignal): Promise<void> {
  let failures = 0
  let isFirst = true
  while (!signal.aborted) {
    await untilVisible(signal)
    if (signal.aborted) return
    const session = new AbortController()
    const end = () => session.abort()
    signal.addEventListener('abort', end)
    const unwatch = watchHidden(end)
    try {
      await listen(session, refresher, isFirst, () => {
        failures = 0
        isFirst = false
      })
    } catch (thrown) {
      if (asApiError(thrown).status === 401) return
    } finally {
      unwatch()
      signal.removeEventListener('abort', end)
    }
    if (signal.aborted || document.hidden) continue
    failures += 1
    if (failures > 1) {
      setConnection('polling')
      refresher.everything()
    }
    const wait = reconnectDelay(failures, Math.random())
    await pause(failures > 4 ? Math.min(wait, POLL_INTERVAL) : wait, signal)
  }
}

/** Listens until the stream ends, fails, falls silent or is aborted. */
async function listen(
  session: AbortController,
  refresher: Refresher,
  isFirst: boolean,
  opened: () => void,
): Promise<void> {
  const body = await openStream('/api/v1/events', session.signal)
  opened()
  setConnection('live')
  // Whatever happened between the last connection and this one was not heard.
  if (!isFirst) refresher.everything()
  let silence = setTimeout(() => session.abort(), SILENCE_MAX)
  try {
    for await (const event of readEvents(body)) {
      clearTimeout(silence)
      silence = setTimeout(() => session.abort(), SILENCE_MAX)
      if (event.name !== 'comment') refresher.take(JSON.parse(event.data) as Event)
    }
  } finally {
    clearTimeout(silence)
  }
}

function untilVisible(signal: AbortSignal): Promise<void> {
  if (!document.hidden) return Promise.resolve()
  setConnection('asleep')
  return new Promise((resolve) => {
    const done = () => {
      if (document.hidden && !signal.aborted) return
      document.removeEventListener('visibilitychange', done)
      signal.removeEventListener('abort', done)
      resolve()
    }
    document.addEventListener('visibilitychange', done)
    signal.addEventListener('abort', done)
  })
}

/** Calls back when the page has been hidden for a while. */
function watchHidden(callback: () => void): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined
  const changed = () => {
    clearTimeout(timer)
    if (document.hidden) timer = setTimeout(callback, HIDDEN_GRACE)
  }
  document.addEventListener('visibilitychange', changed)
  return () => {
    clearTimeout(timer)
    document.removeEventListener('visibilitychange', changed)
  }
}
