import type { Page } from './types'

/** Pages followed at most, so that a faulty cursor cannot ask for ever. */
const PAGES_MAX = 40

/** Follows the cursors to the end and gives all rows. For lists that are small by nature. */
export async function everyPage<T>(page: (cursor: string | undefined) => Promise<Page<T>>): Promise<T[]> {
  const items: T[] = []
  let cursor: string | undefined
  for (let nth = 0; nth < PAGES_MAX; nth += 1) {
    const answer = await page(cursor)
    items.push(...answer.items)
    if (!answer.next_cursor) break
    cursor = answer.next_cursor
  }
  return items
}
