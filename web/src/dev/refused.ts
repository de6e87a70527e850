import type { Problem } from '../api/types'

/** What the center in memory refuses, as the real one answers it. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    readonly detail: {
      code: string
      message: string
      field?: string
      column?: number
      hint?: string
      problems?: Problem[]
    },
  ) {
    super(detail.message)
  }
}

export const notFound = () => new Refused(404, { code: 'not_found', message: 'there is no such thing' })
