/** Spans of time as people type them: `500ms`, `90s`, `5m`, `1h 30m`, `2d`. */

const UNITS: readonly [string, number][] = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
  ['ms', 1],
]

/** Milliseconds of a typed span; `undefined` when it is none. A number without a unit counts seconds. */
export function parseSpan(text: string): number | undefined {
  const typed = text.trim().toLowerCase()
  if (/^\d+(\.\d+)?$/.test(typed)) return Math.round(Number(typed) * 1_000)
  if (!/^(\d+(\.\d+)?\s*(ms|s|m|h|d)\s*)+$/.test(typed)) return undefined
  let ms = 0
  for (const [, amount, unit] of typed.matchAll(/(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)/g)) {
    ms += Number(amount) * (UNITS.find(([name]) => name === unit)?.[1] ?? 0)
  }
  return Math.round(ms)
}

/** The shortest text that `parseSpan` reads as so many milliseconds: `1h 30m`, `250ms`. */
export function formatSpan(ms: number): string {
  if (ms === 0) return '0s'
  let rest = ms
  const parts: string[] = []
  for (const [name, size] of UNITS) {
    const count = Math.floor(rest / size)
    if (count > 0) parts.push(`${count}${name}`)
    rest -= count * size
  }
  return parts.join(' ')
}
