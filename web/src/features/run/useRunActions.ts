import { useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { runJob } from '../../api/jobs'
import { killRun } from '../../api/runs'
import type { Run } from '../../api/types'
import { randomKey } from '../../lib/id'
import { useConfirm } from '../../ui/Confirm'
import { notifyDone, notifyError } from '../../ui/notify'

/** What can be done to one run. */
export function useRunActions(run: Run) {
  const { t } = useTranslation()
  const confirm = useConfirm()
  const navigate = useNavigate()
  const client = useQueryClient()

  const kill = () => {
    confirm({
      title: t('runs.kill.title', { job: run.job_name, agent: run.agent_name }),
      consequence: run.state === 'running' ? t('runs.kill.consequence') : t('runs.kill.notStarted'),
      action: t('runs.kill.action'),
      run: async () => {
        client.setQueryData(['runs', run.id], await killRun(run.id))
        await client.invalidateQueries({ queryKey: ['runs'] })
      },
    })
  }

  const runAgain = async () => {
    try {
      const answer = await runJob(run.job_id, randomKey(), [run.agent_id])
      const next = answer.run_ids[0]
      notifyDone(t('jobs.started', { count: answer.run_ids.length }))
      await client.invalidateQueries({ queryKey: ['runs'] })
      if (next) await navigate({ to: '/runs/$runId', params: { runId: next } })
    } catch (thrown) {
      notifyError(thrown)
    }
  }

  return { kill, runAgain }
}
