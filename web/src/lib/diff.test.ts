import { describe, expect, it } from 'vitest'
import { changes, lineDiff } from './diff'

describe('changes', () => {
  it('lists changed values by path; lists count as one value', () => {
    const before = { a: 1, b: { c: [1, 2], d: null }, e: 'x' }
    const after = { a: 1, b: { c: [1, 3] }, e: 'y', f: true }
    expect(changes(before, after)).toEqual([
      { path: 'b.c', before: [1, 2], after: [1, 3] },
      { path: 'e', before: 'x', after: 'y' },
      { path: 'f', before: undefined, after: true },
    ])
  })

  it('finds nothing between equals', () => {
    expect(changes({ a: [1], b: undefined }, { a: [1], b: null })).toEqual([])
  })
})

describe('lineDiff', () => {
  it('keeps common lines', () => {
    expect(lineDiff('a\nb\nc', 'a\nx\nc').map((line) => `${line.kind[0]}${line.text}`)).toEqual([
      'sa',
      'rb',
      'ax',
      'sc',
    ])
  })
})
