import { expect, it } from 'vitest'
import type { NextStep, Slot } from '../../api/types'
import { rollout } from './words'

const slot = (next_step?: NextStep) => ({ next_step }) as Slot

it('tells how far replacing is, and that it has stopped', () => {
  expect(rollout([slot(), slot('ready'), slot('recycle')])).toBeUndefined()
  expect(rollout([slot('ready'), slot('replace'), slot('replace')])).toEqual({
    done: 1,
    count: 3,
    isHalted: false,
  })
  expect(rollout([slot('start'), slot('replace_halted')])).toEqual({ done: 1, count: 2, isHalted: true })
})
