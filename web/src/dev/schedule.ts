import type { Preview } from '../api/types'

/** A stand-in for the center's schedule engine, just enough to work on the console: `*\/n * * * *`, `m h * * *`, `@every n`. */

export interface Refusal {
  code: string
  message: string
  column: number
  hint: string
}

export function preview(
  expression: string,
  from: number,
  count: number,
  skipsGap = false,
): Preview | Refusal {
  const period = periodMs(expression)
  if (typeof period !== 'number') return period
  const first = Math.floor(from / period) * period + period
  const next = Array.from({ length: count }, (_, nth) => new Date(first + nth * period).toISOString())
  return {
    canonical: expression.trim().toLowerCase() === '@daily' ? '0 0 * * *' : expression.trim(),
    sentence_en: englishSentence(expression, period),
    sentence_zh: chineseSentence(expression, period),
    next: next.map((due, nth) => ({
      due,
      local: `${due.slice(0, 19)}+00:00`,
      dst: expression.includes('30 2') && nth === 3 ? 'gap' : undefined,
    })),
    clock_changes: expression.startsWith('30 2')
      ? [
          {
            at: '2027-03-28T01:00:00Z',
            local_before: '2027-03-28T02:00:00+01:00',
            local_after: '2027-03-28T03:00:00+02:00',
            change: 'gap',
            effect: skipsGap ? 'left_out' : 'runs_after_gap',
          },
        ]
      : [],
    warnings: expression.includes('29')
      ? [
          {
            code: 'leap_years_only',
            message_en: '29 February comes in leap years only.',
            message_zh: '2 月 29 日只在闰年出现。',
          },
        ]
      : [],
  }
}

function periodMs(expression: string): number | Refusal {
  const text = expression.trim()
  const every = /^@every (\d+)(ms|s|m|h)$/.exec(text)
  if (every)
    return Number(every[1]) * { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }[every[2] as 'ms' | 's' | 'm' | 'h']
  if (text === '@hourly') return 3_600_000
  if (text.startsWith('@')) return 86_400_000
  const fields = text.split(/\s+/)
  if (fields.length < 5 || fields.length > 7) {
    return {
      code: 'schedule.field_count',
      message: `there are ${fields.length} fields`,
      column: expression.length + 1,
      hint: 'write 5 fields, 6 with seconds first, or 7 with the year last',
    }
  }
  const wrong = /(?:^|\s)(6\d|[7-9]\d)/.exec(expression)
  if (wrong) {
    return {
      code: 'schedule.out_of_range',
      message: `${wrong[1]} is out of range 0-59 for the minute field`,
      column: expression.indexOf(wrong[1] ?? '') + 1,
      hint: 'write a number from 0 to 59',
    }
  }
  const offset = fields.length === 5 ? 0 : 1
  if (offset === 1 && fields[0]?.startsWith('*')) return 1_000
  const step = /^\*\/(\d+)$/.exec(fields[offset] ?? '')
  if (step) return Number(step[1]) * 60_000
  if (fields[offset] === '*') return 60_000
  if (fields[offset + 1] === '*') return 3_600_000
  return 86_400_000
}

function englishSentence(expression: string, period: number): string {
  if (period < 60_000) return `Every ${period / 1_000} seconds.`
  if (period < 3_600_000) return `Every ${period / 60_000} minutes.`
  if (period === 3_600_000) return 'At minute 0 of every hour.'
  const [minute, hour] = expression.split(/\s+/)
  return `At ${(hour ?? '0').padStart(2, '0')}:${(minute ?? '0').padStart(2, '0')} every day.`
}

function chineseSentence(expression: string, period: number): string {
  if (period < 60_000) return `每 ${period / 1_000} 秒。`
  if (period < 3_600_000) return `每 ${period / 60_000} 分钟。`
  if (period === 3_600_000) return '每小时的第 0 分钟。'
  const [minute, hour] = expression.split(/\s+/)
  return `每天 ${(hour ?? '0').padStart(2, '0')}:${(minute ?? '0').padStart(2, '0')}。`
}
