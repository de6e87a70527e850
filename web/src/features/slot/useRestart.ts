import { useQueryClient } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { restartSlots } from '../../api/slots'
import type { Slot } from '../../api/types'
import { useConfirm } from '../../ui/Confirm'
import { notifyDone } from '../../ui/notify'

/** Restarts the processes of one job in the given slots, after asking. One slot, one agent or the whole job. */
export function useRestart(): (slots: readonly Slot[]) => void {
  const { t } = useTranslation()
  const confirm = useConfirm()
  const client = useQueryClient()
  return (slots) => {
    const first = slots[0]
    if (!first) return
    const agents = new Set(slots.map((slot) => slot.agent_id)).size
    const where = agents === 1 ? first.agent_name : t('daemons.agents', { count: agents })
    const index = slots.length === 1 ? first.index : undefined
    confirm({
      title: t('daemons.restart.title', { count: slots.length, job: first.job_name, where }),
      consequence: t('daemons.restart.consequence'),
      action: t('daemons.restart.action'),
      run: async () => {
        const answer = await restartSlots({
          job_id: first.job_id,
          agent_id: agents === 1 ? first.agent_id : undefined,
          index,
        })
        await client.invalidateQueries({ queryKey: ['slots'] })
        const done = t('daemons.restart.done', { count: slots.length })
        const waiting = answer.agents_waiting ?? 0
        notifyDone(waiting ? `${done} ${t('daemons.restart.waiting', { count: waiting })}` : done)
      },
    })
  }
}
