import { Button, Checkbox, Group, Stack } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { applyBulk, planBulk } from '../../api/bulk'
import { asApiError, errorText } from '../../api/error'
import type { BulkChange, BulkJob, BulkPlan, JobSelection } from '../../api/types'
import { randomKey } from '../../lib/id'
import { notifyDone } from '../../ui/notify'
import { Loading } from '../../ui/States'
import { useAgentNames } from '../agent/useAgents'
import classes from './Bulk.module.css'
import { fieldName, fieldValue } from './SpecChanges'

/** Most jobs that are listed; all of them are counted. */
const LISTED_MAX = 200

interface BulkPlanViewProps {
  change: BulkChange
  onChange: (change: BulkChange) => void
  selection: JobSelection
  onDone: () => void
  onClose: () => void
}

/** What would be done with each job, and the button that does exactly that. */
export function BulkPlanView({ change, onChange, selection, onDone, onClose }: BulkPlanViewProps) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const [key] = useState(randomKey)
  const plan = useQuery({
    queryKey: ['bulk', selection, change],
    queryFn: ({ signal }) => planBulk(selection, change, signal),
    gcTime: 0,
    staleTime: Number.POSITIVE_INFINITY,
    refetchOnWindowFocus: false,
    retry: false,
  })
  const apply = useMutation({
    mutationFn: (shown: BulkPlan) => applyBulk(selection, change, shown.digest, key),
    onSuccess: (done) => {
      notifyDone(t(`bulk.done.${change.action}`, { count: done.jobs.length }))
      onDone()
      void client.invalidateQueries({ queryKey: ['jobs'] })
      void client.invalidateQueries({ queryKey: ['runs'] })
    },
  })
  const again = () => {
    apply.reset()
    void plan.refetch()
  }
  const error = apply.error ?? plan.error
  const count = plan.data?.jobs.length ?? 0
  return (
    <Stack gap={14}>
      {change.action === 'run' && (
        <Checkbox
          label={t('bulk.ignoreWindows')}
          checked={change.ignore_windows ?? false}
          onChange={(event) => onChange({ ...change, ignore_windows: event.currentTarget.checked })}
        />
      )}
      {plan.isFetching ? (
        <Loading />
      ) : (
        plan.data && !plan.error && <Planned plan={plan.data} change={change} />
      )}
      {error && <Refusal error={error} />}
      <Group justify="flex-end" gap={8}>
        {error && (
          <Button variant="default" onClick={again}>
            {t('bulk.again')}
          </Button>
        )}
        <Button variant="default" onClick={onClose}>
          {t('common.cancel')}
        </Button>
        {plan.data && count > 0 && !error && (
          <Button
            color={change.action === 'delete' ? 'red' : undefined}
            loading={apply.isPending}
            disabled={plan.isFetching}
            onClick={() => apply.mutate(plan.data)}
          >
            {t(`bulk.confirm.${change.action}`, { count })}
          </Button>
        )}
      </Group>
    </Stack>
  )
}

function Planned({ plan, change }: { plan: BulkPlan; change: BulkChange }) {
  const { t } = useTranslation()
  const sum = (of: (job: BulkJob) => number | undefined) =>
    plan.jobs.reduce((total, job) => total + (of(job) ?? 0), 0)
  const withdraws = ['pause', 'delete', 'snooze', 'set'].includes(change.action)
  const stops = ['pause', 'delete', 'set'].includes(change.action)
  const [waiting, processes] = [sum((job) => job.waiting), sum((job) => job.processes)]
  if (plan.jobs.length === 0) return <p className="dim">{t('bulk.nothing', { count: plan.unchanged })}</p>
  return (
    <>
      <p>
        {t(`bulk.will.${change.action}`, { count: plan.jobs.length })}{' '}
        {plan.runs > 0 && t('bulk.runs', { count: plan.runs })}{' '}
        {plan.unchanged > 0 && <span className="dim">{t('bulk.unchanged', { count: plan.unchanged })}</span>}
      </p>
      {change.action === 'delete' && <p className="danger">{t('bulk.deleteText')}</p>}
      {withdraws && waiting > 0 && <p className="dim">{t('bulk.waiting', { count: waiting })}</p>}
      {stops && processes > 0 && <p className="dim">{t('bulk.processes', { count: processes })}</p>}
      <ul className={classes.list} aria-label={t('bulk.jobs')}>
        {plan.jobs.slice(0, LISTED_MAX).map((job) => (
          <li key={job.id}>
            <JobLine job={job} />
          </li>
        ))}
        {plan.jobs.length > LISTED_MAX && (
          <li className="dim">{t('bulk.moreJobs', { count: plan.jobs.length - LISTED_MAX })}</li>
        )}
      </ul>
    </>
  )
}

function JobLine({ job }: { job: BulkJob }) {
  const names = useAgentNames()
  // A pause is what the whole dialog is about.
  const fields = (job.fields ?? []).filter((each) => each.field !== 'paused')
  return (
    <>
      {job.name} <span className="faint">{job.group}</span>
      {fields.map((each) => (
        <span key={each.field} className={`dim ${classes.details}`}>
          {fieldName(each.field)}: {fieldValue(each.field, each.old, names)} →{' '}
          {fieldValue(each.field, each.new, names)}
        </span>
      ))}
    </>
  )
}

/** Why it is not done, job by job where the center says so. */
function Refusal({ error }: { error: Error }) {
  const { i18n } = useTranslation()
  const { problems } = asApiError(error)
  const text = (code: string, message: string) =>
    i18n.language === 'en' ? message : errorText(asApiError(error).of(code, message))
  return (
    <div role="alert">
      <p className="danger">{errorText(error)}</p>
      {problems.length > 0 && (
        <ul className={classes.list}>
          {problems.map((problem, nth) => (
            <li key={nth}>
              {problem.job && <b>{problem.job}: </b>}
              {text(problem.code, problem.message)}
            </li>
          ))}
        </ul>
      )}
    </div>
  )
}
