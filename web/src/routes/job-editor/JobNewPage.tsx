import { Checkbox } from '@mantine/core'
import { IconLock } from '@tabler/icons-react'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { getRouteApi, Link, useRouter } from '@tanstack/react-router'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { asApiError } from '../../api/error'
import { groupsQuery } from '../../api/groups'
import { createJob, jobQuery } from '../../api/jobs'
import { aboutQuery } from '../../api/session'
import { type Draft, draftOf, emptyDraft, specOf } from '../../features/job/draft'
import { groupsWith, useMe } from '../../features/session/useMe'
import { viewerZone } from '../../lib/time'
import { notifyDone } from '../../ui/notify'
import { Page } from '../../ui/Page'
import { Empty, Failure, Loading } from '../../ui/States'
import { JobForm } from './JobForm'

const route = getRouteApi('/shell/jobs/new')

/** A new job, from nothing or from another one. */
export function JobNewPage() {
  const { t } = useTranslation()
  const me = useMe()
  const search = route.useSearch()
  const navigate = route.useNavigate()
  const router = useRouter()
  const client = useQueryClient()
  const groups = useQuery(groupsQuery)
  const about = useQuery(aboutQuery)
  const source = useQuery({ ...jobQuery(search.from ?? ''), enabled: Boolean(search.from) })
  const [isPaused, setPaused] = useState(false)
  const create = useMutation({
    mutationFn: (draft: Draft) =>
      createJob({ group_id: draft.groupId, spec: specOf(draft), is_paused: isPaused }),
    onSuccess: async (job) => {
      client.setQueryData(['jobs', job.id], job)
      await client.invalidateQueries({ queryKey: ['jobs', 'list'] })
      notifyDone(t('jobs.createdDone', { job: job.spec.name }))
      await navigate({ to: '/jobs/$jobId', params: { jobId: job.id }, search: {} })
    },
  })

  const frame = (content: React.ReactNode) => (
    <Page
      title={t('jobs.new')}
      parent={
        <Link to="/jobs" search={{}}>
          {t('nav.jobs')}
        </Link>
      }
      isFilled
    >
      {content}
    </Page>
  )
  const error = groups.error ?? source.error
  if (error) return frame(<Failure error={error} />)
  if (!groups.data || about.isPending || (search.from && !source.data)) return frame(<Loading />)

  const editable = groupsWith(me, 'editor')
  const mine = groups.data.filter((group) => !editable || editable.has(group.id))
  const group = mine.find((each) => each.id === search.group) ?? mine[0]
  if (!group) {
    return frame(
      <Empty icon={<IconLock size={28} stroke={1.4} />} title={t('editor.noGroupTitle')}>
        {me.user.is_admin ? t('editor.noGroupAdmin') : t('editor.noGroupText')}
      </Empty>,
    )
  }

  const zone = about.data?.default_time_zone ?? viewerZone()
  const copied = source.data
  const initial = copied
    ? {
        ...draftOf(
          mine.some((each) => each.id === copied.group_id) ? copied.group_id : group.id,
          copied.spec,
          zone,
        ),
        name: t('editor.copyOf', { name: copied.spec.name }),
      }
    : emptyDraft(group.id, search.kind === 'daemon' ? 'daemon' : 'scheduled', zone, group.run_as[0] ?? '')
  return frame(
    <JobForm
      initial={initial}
      groups={mine}
      refusal={create.error ? asApiError(create.error) : undefined}
      saveLabel={t('editor.create')}
      isSaving={create.isPending}
      aside={() => (
        <Checkbox
          label={t('editor.createPaused')}
          checked={isPaused}
          onChange={(event) => setPaused(event.currentTarget.checked)}
          ml={8}
        />
      )}
      onSave={(draft) => create.mutate(draft)}
      onCancel={() => router.history.back()}
    />,
  )
}
