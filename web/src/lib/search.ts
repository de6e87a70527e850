/** Search parameters of the URL. All values are plain text, so that an address reads as it was meant and survives editing by hand. */

export type Search = Record<string, string | undefined>

export function parseSearch(text: string): Search {
  return Object.fromEntries(new URLSearchParams(text))
}

export function stringifySearch(search: Record<string, unknown>): string {
  const params = new URLSearchParams()
  for (const [key, value] of Object.entries(search)) {
    if (value !== undefined && value !== null && value !== '') params.set(key, String(value))
  }
  const text = params.toString()
  return text ? `?${text}` : ''
}

/** Keeps the known parameters of an address, and of these only texts. */
export function pick<K extends string>(
  ...keys: K[]
): (search: Record<string, unknown>) => { [P in K]?: string } {
  return (search) => {
    const picked: { [P in K]?: string } = {}
    for (const key of keys) {
      const value = search[key]
      if (typeof value === 'string' && value !== '') picked[key] = value
    }
    return picked
  }
}
