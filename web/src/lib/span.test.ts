import { describe, expect, it } from 'vitest'
import { formatSpan, parseSpan } from './span'

describe('parseSpan', () => {
  it.each([
    ['500ms', 500],
    ['90s', 90_000],
    ['90', 90_000],
    ['1h 30m', 5_400_000],
    ['1.5h', 5_400_000],
    ['2D', 172_800_000],
    ['0s', 0],
  ])('reads %j', (text, ms) => {
    expect(parseSpan(text)).toBe(ms)
  })

  it.each(['', 'abc', '5x', '-5s', '5s!', 's'])('refuses %j', (text) => {
    expect(parseSpan(text)).toBeUndefined()
  })
})

describe('formatSpan', () => {
  it.each([0, 1, 250, 999, 1_000, 60_000, 5_400_000, 86_400_000, 93_784_005])('is read back: %d', (ms) => {
    expect(parseSpan(formatSpan(ms))).toBe(ms)
  })
})
