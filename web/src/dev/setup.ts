import { cleanup, configure } from '@testing-library/react'
import { afterEach, beforeAll } from 'vitest'
import { startI18n } from '../i18n'

/** Runs before every test file: what happy-dom lacks, and the texts in English. */

// The virtualiser draws only what fits; happy-dom has no layout and says that nothing does.
const size = { offsetHeight: 640, clientHeight: 640, offsetWidth: 1_200, clientWidth: 1_200 }
for (const [name, value] of Object.entries(size)) {
  Object.defineProperty(HTMLElement.prototype, name, { configurable: true, value })
}
// Styles are not loaded, so an element's own are all there is; happy-dom would search every style sheet for more.
window.getComputedStyle = (element) => (element as HTMLElement).style
Object.defineProperty(document, 'fonts', { configurable: true, value: new EventTarget() })

// The whole page in every failure hides what failed. The machine may be busy: wait longer than usual.
// Whether an element is hidden is a matter of layout, which there is none of, and slow to ask.
configure({
  asyncUtilTimeout: 15_000,
  defaultHidden: true,
  getElementError: (message) => new Error(message?.split('\n\n')[0] ?? 'not found'),
})

beforeAll(() => startI18n('en'))
afterEach(() => cleanup())
