import { readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { en } from './en'
import { zhCN } from './zh-CN'

function flat(catalogue: object, path = ''): [string, string][] {
  return Object.entries(catalogue).flatMap(([key, value]) =>
    typeof value === 'string' ? [[path + key, value] as [string, string]] : flat(value, `${path}${key}.`),
  )
}

const english = new Map(flat(en))
const chinese = new Map(flat(zhCN))
const source = (file: string) => readFileSync(path.join(import.meta.dirname, '../../../crates', file), 'utf8')
const words = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].map((match) => match[1] ?? '')

describe('the catalogues', () => {
  it('have the same keys; Chinese has one plural form', () => {
    const wanted = [...english.keys()].filter((key) => !key.endsWith('_one')).sort()
    expect([...chinese.keys()].sort()).toEqual(wanted)
  })

  it('have both English plural forms', () => {
    for (const key of english.keys()) {
      if (key.endsWith('_one')) expect(english.has(key.replace(/_one$/, '_other')), key).toBe(true)
    }
  })

  it('use the same placeholders', () => {
    const placeholders = (text = '') => [...new Set(text.match(/{{\w+}}/g) ?? [])].sort()
    for (const [key, text] of chinese) {
      const base = key.endsWith('_other') ? `${english.get(key)} {{count}}` : english.get(key)
      const mine = key.endsWith('_other') ? `${text} {{count}}` : text
      expect(placeholders(mine), key).toEqual(placeholders(base))
    }
  })

  it('leave nothing in English in the Chinese catalogue', () => {
    const left = [...chinese].filter(([, text]) => !/[\u4e00-\u9fff]/.test(text)).map(([key]) => key)
    expect(left.sort()).toEqual(['field.umask', 'output.found'].filter((key) => left.includes(key)))
  })
})

describe('every stable word of the center has a text', () => {
  const run = source('core/src/run.rs')

  it('reasons', () => {
    const reasons = words(run, /= "([a-z_]+)" => \w+,/g)
    expect(reasons.length).toBeGreaterThan(20)
    for (const word of reasons) expect(english.has(`reason.${word}`), word).toBe(true)
  })

  it('outcomes and states', () => {
    const found = words(run, /Self::\w+(?:\(_\))? => "([a-z_]+)"/g)
    expect(found.length).toBeGreaterThan(12)
    for (const word of found.filter((each) => each !== 'ended')) {
      expect(english.has(`status.${word}`) || english.has(`cause.${word}`), word).toBe(true)
    }
  })

  it('slot states', () => {
    for (const word of words(source('api/src/slot.rs'), /^ {4}(\w+),$/gm)) {
      const snake = word.replace(/(?<!^)[A-Z]/g, (letter) => `_${letter}`).toLowerCase()
      expect(english.has(`slot.${snake}`), snake).toBe(true)
    }
  })

  it('what comes next in a slot, and what probes are for', () => {
    for (const word of words(source('api/src/outlook.rs'), /^ {4}(\w+),$/gm)) {
      const snake = word.replace(/(?<!^)[A-Z]/g, (letter) => `_${letter}`).toLowerCase()
      expect(english.has(`next.${snake}`) || english.has(`probe.${snake}`), snake).toBe(true)
    }
  })

  it('ends of daemon processes', () => {
    const ends = words(source('center/src/http/slots.rs'), /(?:Some|None)[^\n]*=> "([a-z_]+)"/g)
    expect(ends.length).toBeGreaterThan(4)
    for (const word of ends) expect(english.has(`reason.${word}`), word).toBe(true)
  })

  it('refused schedules', () => {
    const codes = words(source('core/src/schedule/error.rs'), /^ {4}\w+ = "([a-z_]+)",$/gm)
    expect(codes.length).toBeGreaterThan(30)
    for (const code of codes) expect(english.has(`scheduleErrors.${code}`), code).toBe(true)
  })

  it('refused requests', () => {
    const files = [
      'center/src/http/error.rs',
      'center/src/http/job_rules.rs',
      'core/src/job.rs',
      'core/src/job/daemon.rs',
      'core/src/job/scheduled.rs',
      'api/src/calendar.rs',
    ]
    const codes = files.flatMap((file) =>
      words(source(file), /"((?:job|auth|user|group|agent|setup)\.[a-z_]+)"/g),
    )
    const known = new Set(codes.map((code) => code.replace('.', '_')))
    // Only programs can cause these.
    for (const never of ['job_version_required']) known.delete(never)
    for (const code of known) expect(english.has(`errors.${code}`), code).toBe(true)
  })
})
