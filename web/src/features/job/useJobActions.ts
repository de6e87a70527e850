import { useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useCallback } from 'react'
import { useTranslation } from 'react-i18next'
import { deleteJob, pauseJob, resumeJob, runJob, wakeJob } from '../../api/jobs'
import type { Job, Page } from '../../api/types'
import { randomKey } from '../../lib/id'
import { useConfirm } from '../../ui/Confirm'
import { notifyDone, notifyError } from '../../ui/notify'

/** What can be done to a job from lists, its page and the palette. */
export function useJobActions() {
  const { t } = useTranslation()
  const client = useQueryClient()
  const confirm = useConfirm()
  const navigate = useNavigate()

  const show = useCallback(
    (job: Job) => {
      client.setQueryData(['jobs', job.id], job)
      client.setQueriesData<Page<Job>>({ queryKey: ['jobs', 'list'] }, (page) =>
        page ? { ...page, items: page.items.map((each) => (each.id === job.id ? job : each)) } : page,
      )
    },
    [client],
  )

  const setPaused = useCallback(
    async (job: Job, isPaused: boolean) => {
      try {
        show(await (isPaused ? pauseJob(job.id) : resumeJob(job.id)))
        notifyDone(t(isPaused ? 'jobs.pausedDone' : 'jobs.resumedDone', { job: job.spec.name }), {
          label: t('common.undo'),
          run: () => void setPaused(job, !isPaused),
        })
      } catch (thrown) {
        notifyError(thrown)
      }
    },
    [show, t],
  )

  const start = useCallback(
    async (job: Job, ignoreWindows: boolean) => {
      try {
        const answer = await runJob(job.id, randomKey(), undefined, ignoreWindows)
        const [only, ...others] = answer.run_ids
        notifyDone(
          t('jobs.started', { count: answer.run_ids.length }),
          only
            ? {
                label: t('jobs.watch'),
                run: () =>
                  void (others.length === 0
                    ? navigate({ to: '/runs/$runId', params: { runId: only } })
                    : navigate({ to: '/jobs/$jobId', params: { jobId: job.id }, search: {} })),
              }
            : undefined,
        )
        await client.invalidateQueries({ queryKey: ['runs'] })
      } catch (thrown) {
        notifyError(thrown)
      }
    },
    [client, navigate, t],
  )

  const runNow = useCallback(
    async (job: Job) => {
      if (!job.frozen) return start(job, false)
      confirm({
        title: t('jobs.runFrozen.title', { job: job.spec.name }),
        consequence: t('jobs.runFrozen.text', { reason: job.frozen.reason }),
        action: t('jobs.runFrozen.action'),
        run: () => start(job, true),
      })
    },
    [confirm, start, t],
  )

  const wake = useCallback(
    async (job: Job) => {
      try {
        show(await wakeJob(job.id))
        await client.invalidateQueries({ queryKey: ['preview'] })
        notifyDone(t('snooze.ended', { job: job.spec.name }))
      } catch (thrown) {
        notifyError(thrown)
      }
    },
    [client, show, t],
  )

  const remove = useCallback(
    (job: Job) =>
      confirm({
        title: t('jobs.delete.title', { job: job.spec.name }),
        consequence:
          job.kind === 'daemon'
            ? t('jobs.delete.daemon', { count: job.slots_running })
            : t('jobs.delete.scheduled', { group: job.group_name }),
        action: t('jobs.delete.action'),
        run: async () => {
          await deleteJob(job.id)
          await navigate({ to: '/jobs', search: {} })
          client.removeQueries({ queryKey: ['jobs', job.id] })
          await client.invalidateQueries({ queryKey: ['jobs', 'list'] })
          notifyDone(t('jobs.deletedDone', { job: job.spec.name }))
        },
      }),
    [client, confirm, navigate, t],
  )

  return { setPaused, runNow, show, wake, remove }
}
