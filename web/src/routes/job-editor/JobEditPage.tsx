import { IconLock } from '@tabler/icons-react'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { asApiError } from '../../api/error'
import { groupsQuery } from '../../api/groups'
import { jobQuery, replaceJob } from '../../api/jobs'
import { aboutQuery } from '../../api/session'
import type { Job, JobSpec } from '../../api/types'
import { draftOf, specOf } from '../../features/job/draft'
import { specChanges } from '../../features/job/SpecChanges'
import { allows } from '../../lib/roles'
import { viewerZone } from '../../lib/time'
import { notifyDone } from '../../ui/notify'
import { Page } from '../../ui/Page'
import { Empty, Failure, Loading } from '../../ui/States'
import { ChangesDialog } from './ChangesDialog'
import { JobForm } from './JobForm'

const route = getRouteApi('/shell/jobs/$jobId/edit')

/** Edits a job: a new version after a look at what changes. */
export function JobEditPage() {
  const { t } = useTranslation()
  const { jobId } = route.useParams()
  const job = useQuery(jobQuery(jobId))
  const groups = useQuery(groupsQuery)
  const about = useQuery(aboutQuery)
  const error = job.error ?? groups.error
  return (
    <Page
      title={t('editor.editTitle')}
      parent={
        job.data && (
          <Link to="/jobs/$jobId" params={{ jobId }} search={{}}>
            {job.data.spec.name}
          </Link>
        )
      }
      isFilled
    >
      {error ? (
        <Failure error={error} />
      ) : !job.data || !groups.data || about.isPending ? (
        <Loading />
      ) : !allows(job.data.my_role, 'editor') ? (
        <Empty icon={<IconLock size={28} stroke={1.4} />} title={t('errors.forbiddenTitle')}>
          {t('errors.forbiddenEdit')}
        </Empty>
      ) : (
        <Editor job={job.data} zone={about.data?.default_time_zone ?? viewerZone()} />
      )}
    </Page>
  )
}

/** The form starts from the version that was opened; later versions do not overwrite what is being typed. */
function Editor({ job: opened, zone }: { job: Job; zone: string }) {
  const { t } = useTranslation()
  const navigate = route.useNavigate()
  const client = useQueryClient()
  const groups = useQuery(groupsQuery).data ?? []
  const [base, setBase] = useState(opened)
  const [initial] = useState(() => draftOf(opened.group_id, opened.spec, zone))
  const [pending, setPending] = useState<JobSpec>()
  const [conflict, setConflict] = useState<number>()
  const toJob = () => navigate({ to: '/jobs/$jobId', params: { jobId: base.id }, search: {} })

  const save = useMutation({
    mutationFn: (spec: JobSpec) => replaceJob(base.id, base.version, spec),
    onSuccess: async (job) => {
      client.setQueryData(['jobs', job.id], job)
      await client.invalidateQueries({ queryKey: ['jobs'] })
      notifyDone(t('jobs.savedDone', { job: job.spec.name, version: job.version }))
      await toJob()
    },
    onError: async (thrown) => {
      if (asApiError(thrown).status === 412) {
        const now = await client.fetchQuery({ ...jobQuery(base.id), staleTime: 0 })
        setBase(now)
        setConflict(now.version)
      } else {
        setPending(undefined)
      }
    },
  })
  const refused = save.error ? asApiError(save.error) : undefined

  return (
    <>
      <JobForm
        initial={initial}
        groups={groups.filter((group) => group.id === base.group_id)}
        jobId={base.id}
        refusal={refused?.status === 412 ? undefined : refused}
        saveLabel={t('editor.review')}
        isSaving={false}
        aside={(draft) => (
          <span className="dim">
            {t('editor.changed', { count: specChanges(base.spec, specOf(draft)).length })}
          </span>
        )}
        onSave={(draft) => setPending(specOf(draft))}
        onCancel={() => void toJob()}
      />
      {pending && (
        <ChangesDialog
          isOpen
          before={base.spec}
          after={pending}
          conflictVersion={conflict}
          isSaving={save.isPending}
          onSave={() => save.mutate(pending)}
          onClose={() => setPending(undefined)}
        />
      )}
    </>
  )
}
