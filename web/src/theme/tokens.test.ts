import { readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'

const css = readFileSync(path.join(import.meta.dirname, 'tokens.css'), 'utf8')

function tokens(theme: string): Record<string, string> {
  const block = css.split(`[data-mantine-color-scheme="${theme}"]`)[1]?.split('}')[0] ?? ''
  return Object.fromEntries(
    [...block.matchAll(/(--[\w-]+): (#[0-9a-f]{6})/g)].map(([, name, value]) => [name, value]),
  )
}

const rgb = (hex: string) => [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16))

function luminance(colour: number[]): number {
  const [r = 0, g = 0, b = 0] = colour.map((part) => {
    const share = part / 255
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * r + 0.7152 * g + 0.0722 * b
}

/** Contrast by WCAG 2.2. */
function contrast(a: number[], b: number[]): number {
  const [light = 0, dark = 0] = [luminance(a), luminance(b)].sort((x, y) => y - x)
  return (light + 0.05) / (dark + 0.05)
}

const mix = (a: number[], b: number[], share: number) =>
  a.map((part, nth) => part * share + (b[nth] ?? 0) * (1 - share))

const OUTCOMES = ['succeeded', 'failed', 'running', 'waiting', 'skipped', 'missed', 'lost']
const TEXTS = ['text', 'text-dim', 'text-faint', 'accent', 'danger', ...OUTCOMES]

describe.each(['light', 'dark'])('the %s theme', (theme) => {
  const of = tokens(theme)
  const colour = (name: string) => rgb(of[`--${name}`] ?? '')

  it.each(TEXTS)('%s is readable on every ground', (name) => {
    for (const ground of ['bg', 'bg-side', 'bg-raised', 'bg-hover', 'bg-chosen', 'bg-code']) {
      expect(contrast(colour(name), colour(ground)), ground).toBeGreaterThanOrEqual(4.5)
    }
  })

  it.each(OUTCOMES)('%s is readable on its own tint', (name) => {
    expect(contrast(colour(name), mix(colour(name), colour('bg'), 0.1))).toBeGreaterThanOrEqual(4.5)
  })

  it.each(OUTCOMES)('bars of %s stand out', (name) => {
    expect(contrast(colour(`${name}-fill`), colour('bg'))).toBeGreaterThanOrEqual(1.6)
  })

  it('buttons are readable', () => {
    for (const ground of ['accent', 'accent-hover', 'danger']) {
      expect(contrast(colour('on-accent'), colour(ground)), ground).toBeGreaterThanOrEqual(4.5)
    }
  })
})
