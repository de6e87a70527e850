import { useState } from 'react'
import { selectionOf } from '../../api/bulk'
import type { JobFilter } from '../../api/jobs'
import type { JobSelection } from '../../api/types'

/** Which jobs of a list are chosen: some rows, or all that the filters find, whether they are loaded or not. */
export interface Chosen {
  /** Whether a row is chosen. */
  has: (id: string) => boolean
  /** Rows that are chosen; `undefined` when it is all that the filters find. */
  count: number | undefined
  /** What to ask the center for; `undefined` when nothing is chosen. */
  selection: JobSelection | undefined
  toggle: (id: string) => void
  /** Chooses these rows and no other. */
  choose: (ids: readonly string[]) => void
  chooseAll: () => void
  clear: () => void
}

interface State {
  /** The filters that it belongs to: with others it is forgotten. */
  key: string
  ids: ReadonlySet<string>
  isAll: boolean
}

export function useChosen(filter: JobFilter): Chosen {
  const key = JSON.stringify(filter)
  const nothing: State = { key, ids: new Set(), isAll: false }
  const [stored, setState] = useState<State>(nothing)
  const state = stored.key === key ? stored : nothing
  const choose = (ids: readonly string[]) => setState({ key, ids: new Set(ids), isAll: false })
  const some = state.ids.size > 0 ? { ids: [...state.ids] } : undefined
  return {
    has: (id) => state.isAll || state.ids.has(id),
    count: state.isAll ? undefined : state.ids.size,
    selection: state.isAll ? selectionOf(filter) : some,
    toggle: (id) => {
      const others = [...state.ids].filter((each) => each !== id)
      choose(state.ids.has(id) ? others : [...others, id])
    },
    choose,
    chooseAll: () => setState({ key, ids: new Set(), isAll: true }),
    clear: () => setState(nothing),
  }
}
