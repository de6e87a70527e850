import { expect, it } from 'vitest'
import { dates, flip, monthDays, ranges, say } from './days'

const spec = { name: 'x', days_in: ['2026-10-01/2026-10-03'], days_out: ['2026-10-05'] }

it('takes ranges apart and puts them together', () => {
  const texts = ['2026-02-27/2026-03-02', '2026-03-04']
  const all = dates(texts)
  expect([...all]).toEqual(['2026-02-27', '2026-02-28', '2026-03-01', '2026-03-02', '2026-03-04'])
  expect(ranges([...all].reverse())).toEqual(texts)
  expect(ranges([])).toEqual([])
})

it('lets the last word about a date count', () => {
  const out = say(spec, ['2026-10-02', '2026-10-03', '2026-10-04'], 'out')
  expect(out).toMatchObject({ days_in: ['2026-10-01'], days_out: ['2026-10-02/2026-10-05'] })
  expect(say(out, ['2026-10-05'], undefined)).toMatchObject({ days_out: ['2026-10-02/2026-10-04'] })
})

it('turns a day that counts into one that does not, and takes back what was said about one', () => {
  expect(flip(spec, '2026-10-06', true).days_out).toEqual(['2026-10-05/2026-10-06'])
  expect(flip(spec, '2026-10-06', false).days_in).toEqual(['2026-10-01/2026-10-03', '2026-10-06'])
  expect(flip(spec, '2026-10-05', false).days_out).toEqual([])
  expect(flip(spec, '2026-10-01', true).days_in).toEqual(['2026-10-02/2026-10-03'])
})

it('lays months out in weeks from Monday', () => {
  // 1 August 2026 is a Saturday.
  const days = monthDays(2026, 8)
  expect(days.slice(0, 6)).toEqual([undefined, undefined, undefined, undefined, undefined, '2026-08-01'])
  expect(days.at(-1)).toBe('2026-08-31')
  expect(monthDays(2028, 2).at(-1)).toBe('2028-02-29')
})
