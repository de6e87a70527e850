// Prints the gzipped size of every script of the build and fails when the first load is above the limit.
// First load = what index.html names, one language, the list of jobs, and everything that these import statically.
import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'

const LIMIT_KB = 350
const dist = fileURLToPath(new URL('../dist/', import.meta.url))
const html = await readFile(path.join(dist, 'index.html'), 'utf8')
const first = new Set()
const wanted = [...html.matchAll(/(?:src|href)="\/([^"]+\.js)"/g)].map((match) => match[1])
const sizes = new Map()
const FIRST_PAGE = /\/(JobsPage|en)-/

for (const name of await readdir(dist, { recursive: true })) {
  if (!name.endsWith('.js')) continue
  const text = await readFile(path.join(dist, name))
  sizes.set(name, gzipSync(text, { level: 9 }).length)
  if (FIRST_PAGE.test(name)) wanted.push(name)
}
while (wanted.length > 0) {
  const name = wanted.pop()
  if (first.has(name) || !sizes.has(name)) continue
  first.add(name)
  const text = await readFile(path.join(dist, name), 'utf8')
  for (const [, target] of text.matchAll(/(?:from|import)\s*["'](\.[^"']+\.js)["']/g)) {
    wanted.push(path.posix.join(path.posix.dirname(name), target))
  }
}

const kb = (bytes) => (bytes / 1000).toFixed(1).padStart(8)
for (const [name, size] of [...sizes].sort((a, b) => b[1] - a[1])) {
  process.stdout.write(`${kb(size)} kB  ${first.has(name) ? 'first ' : 'later '} ${name}\n`)
}
const total = [...first].reduce((sum, name) => sum + (sizes.get(name) ?? 0), 0)
process.stdout.write(`${kb(total)} kB  first load, gzipped (limit ${LIMIT_KB} kB)\n`)
if (total > LIMIT_KB * 1000) {
  process.stderr.write('The first load is above the limit.\n')
  process.exit(1)
}
