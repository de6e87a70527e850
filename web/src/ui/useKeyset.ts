import { type QueryKey, useQueries, useQueryClient } from '@tanstack/react-query'
import { useCallback, useState } from 'react'
import type { Page } from '../api/types'

/** Which of the loaded pages are kept up to date. */
export type KeysetMode =
  /** Those on the screen. For lists in a stable order. */
  | 'visible'
  /** The first, and only while the list stands at its top: rows that come in above never move what is being read. */
  | 'newest'

interface Keyset<T> {
  rows: T[]
  isPending: boolean
  error: Error | null
  hasMore: boolean
  isAtTop: boolean
  /** Loads the next page. */
  more: () => void
  /** Tells which rows are on the screen. */
  setRange: (first: number, last: number) => void
  retry: () => void
}

interface Window {
  key: string
  count: number
  first: number
  last: number
}

/** A list paged by cursors, of which each page is a query of its own: a change refetches one page and not all. */
export function useKeyset<T>(
  key: QueryKey,
  fetchPage: (cursor: string | undefined, signal: AbortSignal) => Promise<Page<T>>,
  mode: KeysetMode,
): Keyset<T> {
  const client = useQueryClient()
  const keyText = JSON.stringify(key)
  const [stored, setWindow] = useState<Window>({ key: keyText, count: 1, first: 0, last: 0 })
  const window = stored.key === keyText ? stored : { key: keyText, count: 1, first: 0, last: 0 }
  const pageKey = (cursor: string | undefined) => [...key, cursor ?? '']

  const cursors: (string | undefined)[] = [undefined]
  while (cursors.length < window.count) {
    const next = client.getQueryData<Page<T>>(pageKey(cursors.at(-1)))?.next_cursor
    if (!next) break
    cursors.push(next)
  }

  const isWanted = (nth: number) =>
    mode === 'visible' ? nth >= window.first && nth <= window.last : nth === 0 && window.first === 0
  const pages = useQueries({
    queries: cursors.map((cursor, nth) => ({
      queryKey: pageKey(cursor),
      queryFn: ({ signal }: { signal: AbortSignal }) => fetchPage(cursor, signal),
      enabled: (query: { state: { data?: unknown } }) => query.state.data === undefined || isWanted(nth),
      staleTime: 30_000,
    })),
  })

  const items = pages.map((page) => page.data?.items)
  const rows = useJoined(items)
  const lastPage = pages.at(-1)
  const hasMore = Boolean(lastPage?.data?.next_cursor) || (lastPage?.isPending ?? false)
  const isIdle = !lastPage?.isPending
  const sizes = items.map((page) => page?.length ?? 0).join()

  const more = useCallback(() => {
    if (!hasMore || !isIdle) return
    setWindow((old) => {
      const base = old.key === keyText ? old : { key: keyText, count: 1, first: 0, last: 0 }
      return { ...base, count: sizes.split(',').length + 1 }
    })
  }, [hasMore, isIdle, keyText, sizes])

  const setRange = useCallback(
    (firstRow: number, lastRow: number) => {
      const first = mode === 'newest' ? (firstRow === 0 ? 0 : 1) : pageOf(firstRow, sizes)
      const last = mode === 'newest' ? first : pageOf(lastRow, sizes)
      setWindow((old) => {
        const base = old.key === keyText ? old : { key: keyText, count: 1, first: 0, last: 0 }
        const count = mode === 'newest' && first === 0 ? 1 : base.count
        if (base === old && old.first === first && old.last === last && old.count === count) return old
        return { key: keyText, count, first, last }
      })
    },
    [mode, keyText, sizes],
  )

  return {
    rows,
    isPending: pages[0]?.isPending ?? true,
    error: pages.find((page) => page.error)?.error ?? null,
    hasMore,
    isAtTop: window.first === 0,
    more,
    setRange,
    retry: () => {
      for (const page of pages) if (page.error) void page.refetch()
    },
  }
}

/** All rows as one list that stays the same object while no page changes. */
function useJoined<T>(pages: readonly (T[] | undefined)[]): T[] {
  const [kept, setKept] = useState({ pages, rows: pages.flatMap((page) => page ?? []) })
  if (kept.pages.length === pages.length && kept.pages.every((page, nth) => page === pages[nth]))
    return kept.rows
  const next = { pages, rows: pages.flatMap((page) => page ?? []) }
  setKept(next)
  return next.rows
}

function pageOf(row: number, sizes: string): number {
  let rest = row
  let page = 0
  for (const size of sizes.split(',').map(Number)) {
    if (rest < size) return page
    rest -= size
    page += 1
  }
  return Math.max(0, page - 1)
}
