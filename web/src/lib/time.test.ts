import { describe, expect, it } from 'vitest'
import {
  clock,
  compactTime,
  dateTime,
  duration,
  offsetName,
  preciseDifference,
  relative,
  signedDuration,
} from './time'

const at = '2026-11-22T08:04:05.678901Z'
const now = Date.parse(at)

describe('times', () => {
  it('are shown in the zone that is asked for', () => {
    expect(clock(at, 'en', 'Asia/Shanghai')).toBe('16:04:05')
    expect(clock(at, 'en', 'UTC', true)).toBe('08:04:05.678')
    expect(dateTime(at, 'zh-CN', 'Asia/Shanghai')).toContain('2026年11月22日')
    expect(offsetName(at, 'Asia/Shanghai', 'en')).toBe('GMT+8')
  })

  it('name the day only when it is another one', () => {
    expect(compactTime(at, now, 'en', 'UTC')).toBe('08:04:05')
    expect(compactTime('2026-11-21T23:00:00Z', now, 'en', 'UTC')).toBe('Nov 21, 23:00')
    expect(compactTime('2025-01-02T03:04:00Z', now, 'en', 'UTC')).toBe('Jan 2, 2025, 03:04')
  })

  it('survive a zone that the browser does not know', () => {
    expect(clock(at, 'en', 'Moon/Base')).toBe('08:04:05')
  })
})

describe('spans', () => {
  it.each([
    [0, '0ms'],
    [0.25, '0.25ms'],
    [12.4, '12ms'],
    [1_240, '1.24s'],
    [59_900, '59.9s'],
    [192_000, '3m 12s'],
    [7_500_000, '2h 5m'],
    [273_600_000, '3d 4h'],
    [-4_000, '−4s'],
  ])('%d ms', (ms, text) => {
    expect(duration(ms, 'en')).toBe(text)
  })

  it('speak Chinese', () => {
    expect(duration(192_000, 'zh-CN')).toBe('3分钟 12秒')
  })

  it('show their sign', () => {
    expect(signedDuration(12, 'en')).toBe('+12ms')
    expect(preciseDifference(-11_979, 'en')).toBe('−11,979ms')
    expect(preciseDifference(4.38, 'en')).toBe('+4.4ms')
    expect(preciseDifference(840_000, 'en')).toBe('+14m')
  })
})

describe('relative', () => {
  it.each([
    [0, 'now'],
    [-5_000, '5s ago'],
    [90_000, 'in 1m'],
    [7_200_000, 'in 2h'],
    [-3 * 86_400_000, '3d ago'],
  ])('%d ms', (delta, text) => {
    expect(relative(now + delta, now, 'en')).toBe(text)
  })
})
