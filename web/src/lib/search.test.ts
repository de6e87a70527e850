import { describe, expect, it } from 'vitest'
import { parseSearch, pick, stringifySearch } from './search'

describe('search parameters', () => {
  it('are plain text both ways', () => {
    const search = { q: '123', state: 'failed,lost', empty: '', none: undefined }
    expect(stringifySearch(search)).toBe('?q=123&state=failed%2Clost')
    expect(parseSearch('?q=123&state=failed%2Clost')).toEqual({ q: '123', state: 'failed,lost' })
  })

  it('drops what a page does not know', () => {
    expect(pick('q', 'tab')({ q: 'a', other: 'b', tab: 7 })).toEqual({ q: 'a' })
  })
})
