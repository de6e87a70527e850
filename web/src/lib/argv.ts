/** Command lines as a list of arguments and back. No shell ever sees them; the quoting is for people. */

/** Reads one line into arguments: spaces part them; '…' and "…" hold them together; \ keeps the next character. */
export function splitArgv(line: string): string[] {
  const argv: string[] = []
  let word = ''
  let isOpen = false
  let quote = ''
  for (let at = 0; at < line.length; at += 1) {
    const char = line.charAt(at)
    if (quote) {
      if (char === quote) quote = ''
      else if (char === '\\' && quote === '"' && /["\\]/.test(line.charAt(at + 1))) {
        at += 1
        word += line.charAt(at)
      } else word += char
    } else if (char === '"' || char === "'") {
      quote = char
      isOpen = true
    } else if (char === '\\' && at + 1 < line.length) {
      at += 1
      word += line.charAt(at)
      isOpen = true
    } else if (/\s/.test(char)) {
      if (isOpen) argv.push(word)
      word = ''
      isOpen = false
    } else {
      word += char
      isOpen = true
    }
  }
  if (isOpen) argv.push(word)
  return argv
}

/** Writes arguments as one line that `splitArgv` reads back. */
export function joinArgv(argv: readonly string[]): string {
  return argv.map(quoted).join(' ')
}

function quoted(word: string): string {
  if (/^[A-Za-z0-9_@%+=:,./{}[\]*?~!#-]+$/.test(word)) return word
  return `'${word.replaceAll("'", `'\\''`)}'`
}
