import { cleanup } from '@testing-library/react'
import { afterEach, beforeAll } from 'vitest'
import { startI18n } from '../i18n'

/** Runs before every test file: what happy-dom lacks, and the texts in English. */

// The virtualiser draws only what fits; happy-dom has no layout and says that nothing does.
Object.defineProperty(HTMLElement.prototype, 'offsetHeight', { configurable: true, value: 640 })
Object.defineProperty(HTMLElement.prototype, 'offsetWidth', { configurable: true, value: 1_200 })

beforeAll(() => startI18n('en'))
afterEach(() => cleanup())
