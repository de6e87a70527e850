/** One changed value between two plain objects. */
export interface Change {
  /** Dotted path of the value. */
  readonly path: string
  readonly before: unknown
  readonly after: unknown
}

/** Lists what differs, by path, in the order of the keys. Lists count as one value; absent, `null` and `undefined` are equal. */
export function changes(before: unknown, after: unknown, path = ''): Change[] {
  if (isPlain(before) && isPlain(after)) {
    const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])]
    return keys.flatMap((key) => changes(before[key], after[key], path ? `${path}.${key}` : key))
  }
  if ((before ?? null) === (after ?? null)) return []
  if (JSON.stringify(before) === JSON.stringify(after)) return []
  return [{ path, before, after }]
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** One line of a text in a comparison. */
export interface DiffLine {
  readonly kind: 'same' | 'removed' | 'added'
  readonly text: string
}

/** Longer texts are shown as removed and added as a whole. */
const LINES_MAX = 1_500

/** Compares two texts line by line (longest common subsequence). */
export function lineDiff(before: string, after: string): DiffLine[] {
  const old = before.split('\n')
  const next = after.split('\n')
  if (old.length > LINES_MAX || next.length > LINES_MAX) {
    return [
      ...old.map((text): DiffLine => ({ kind: 'removed', text })),
      ...next.map((text): DiffLine => ({ kind: 'added', text })),
    ]
  }
  const width = next.length + 1
  const common = new Uint16Array((old.length + 1) * width)
  const at = (row: number, column: number) => common[row * width + column] ?? 0
  for (let row = old.length - 1; row >= 0; row -= 1) {
    for (let column = next.length - 1; column >= 0; column -= 1) {
      common[row * width + column] =
        old[row] === next[column]
          ? at(row + 1, column + 1) + 1
          : Math.max(at(row + 1, column), at(row, column + 1))
    }
  }
  const lines: DiffLine[] = []
  let row = 0
  let column = 0
  while (row < old.length || column < next.length) {
    if (row < old.length && column < next.length && old[row] === next[column]) {
      lines.push({ kind: 'same', text: old[row] ?? '' })
      row += 1
      column += 1
    } else if (row < old.length && (column >= next.length || at(row + 1, column) >= at(row, column + 1))) {
      lines.push({ kind: 'removed', text: old[row] ?? '' })
      row += 1
    } else {
      lines.push({ kind: 'added', text: next[column] ?? '' })
      column += 1
    }
  }
  return lines
}
