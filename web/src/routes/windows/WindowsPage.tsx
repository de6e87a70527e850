import { ActionIcon, Button, Checkbox, Tooltip } from '@mantine/core'
import { IconPencil, IconPlayerStop, IconPlus, IconSnowflake } from '@tabler/icons-react'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import { useMemo, useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { Window } from '../../api/types'
import { endWindow, windowsQuery } from '../../api/windows'
import { useGroupOptions } from '../../features/group/useGroups'
import { useMe } from '../../features/session/useMe'
import { scopeText, whenText } from '../../features/window/text'
import { useScopes } from '../../features/window/useScopes'
import { WindowDialog } from '../../features/window/WindowDialog'
import { allows } from '../../lib/roles'
import { useConfirm } from '../../ui/Confirm'
import { type Column, DataTable } from '../../ui/DataTable'
import { Filter } from '../../ui/Filters'
import { notifyDone } from '../../ui/notify'
import { Page, Toolbar } from '../../ui/Page'
import { Empty, Failure, Loading } from '../../ui/States'
import { Ago } from '../../ui/Time'

const route = getRouteApi('/shell/windows')

/** When does nothing start, where, and why? */
export function WindowsPage() {
  const { t } = useTranslation()
  const search = route.useSearch()
  const navigate = route.useNavigate()
  const query = useQuery(windowsQuery(search))
  const groups = useGroupOptions()
  const canMake = useScopes('fleet').length > 0
  const [edited, setEdited] = useState<Window | 'new'>()
  const columns = useColumns(setEdited)
  const set = (change: Partial<typeof search>) =>
    void navigate({ search: (old) => ({ ...old, ...change }), replace: true })
  const newButton = canMake && (
    <Button leftSection={<IconPlus size={14} />} onClick={() => setEdited('new')}>
      {t('windows.new')}
    </Button>
  )
  return (
    <Page title={t('nav.windows')} actions={newButton} isFilled>
      <Toolbar>
        <Filter
          label={t('filter.group')}
          value={search.group}
          options={groups}
          onChange={(group) => set({ group })}
        />
        <Checkbox
          label={t('windows.withOver')}
          checked={search.over === 'true'}
          onChange={(event) => set({ over: event.currentTarget.checked ? 'true' : undefined })}
        />
      </Toolbar>
      {query.error ? (
        <Failure error={query.error} retry={() => void query.refetch()} />
      ) : !query.data ? (
        <Loading />
      ) : query.data.length === 0 ? (
        <Empty
          icon={<IconSnowflake size={30} stroke={1.4} />}
          title={t('windows.emptyTitle')}
          action={newButton}
        >
          {t('windows.emptyText')}
        </Empty>
      ) : (
        <DataTable
          label={t('nav.windows')}
          rows={query.data}
          columns={columns}
          rowKey={(window) => window.id}
          compact={(window) => <CompactWindow window={window} />}
        />
      )}
      {edited && (
        <WindowDialog window={edited === 'new' ? undefined : edited} onClose={() => setEdited(undefined)} />
      )}
    </Page>
  )
}

function useColumns(edit: (window: Window) => void): Column<Window>[] {
  const { t, i18n } = useTranslation()
  return useMemo(
    () => [
      {
        key: 'reason',
        title: t('windows.reason'),
        width: 'minmax(140px, 1.4fr)',
        cell: (window) => window.reason,
      },
      {
        key: 'scope',
        title: t('windows.scope'),
        width: 'minmax(110px, 1fr)',
        cell: (window) => <Scope window={window} />,
      },
      {
        key: 'state',
        title: t('windows.state'),
        width: 'minmax(120px, 1fr)',
        cell: (window) => <State window={window} />,
      },
      {
        key: 'when',
        title: t('windows.when'),
        width: 'minmax(180px, 1.6fr)',
        from: 760,
        cell: (window) => <span className="dim">{whenText(window, i18n.language, t)}</span>,
      },
      {
        key: 'changed',
        title: t('jobs.saved'),
        width: 'minmax(110px, 0.8fr)',
        from: 1_000,
        cell: (window) => (
          <span className="faint">
            {t('windows.changed', { user: window.changed_by })} <Ago at={window.changed_at} />
          </span>
        ),
      },
      {
        key: 'tools',
        title: <span className="sr">{t('common.actions')}</span>,
        width: '68px',
        cell: (window) => <Tools window={window} edit={edit} />,
      },
    ],
    [edit, i18n.language, t],
  )
}

function Scope({ window }: { window: Window }) {
  const { t } = useTranslation()
  const text = scopeText(window, t)
  if (!window.job_id) return <span>{text}</span>
  return (
    <Link to="/jobs/$jobId" params={{ jobId: window.job_id }} search={{}}>
      {text}
    </Link>
  )
}

function State({ window }: { window: Window }) {
  const { t } = useTranslation()
  const at = window.holds_until ?? window.next_begin
  return (
    <span className={window.state === 'holding' ? undefined : 'dim'}>
      {t(`windows.${window.state}`)} {at && <Ago at={at} />}
    </span>
  )
}

function Tools({ window, edit }: { window: Window; edit: (window: Window) => void }) {
  const { t } = useTranslation()
  const me = useMe()
  const client = useQueryClient()
  const confirm = useConfirm()
  const mayChange = window.my_role ? allows(window.my_role, 'editor') : me.user.is_admin
  if (!mayChange || window.state === 'over') return null
  const end = () =>
    confirm({
      title: t('windows.end.title', { reason: window.reason }),
      consequence: t('windows.end.consequence'),
      action: t('windows.end.action'),
      run: async () => {
        await endWindow(window.id)
        const keys = [['windows'], ['jobs'], ['preview']]
        await Promise.all(keys.map((queryKey) => client.invalidateQueries({ queryKey })))
        notifyDone(t('windows.end.done'))
      },
    })
  return (
    <>
      <Tooltip label={t('windows.edit')}>
        <ActionIcon
          aria-label={t('windows.editNamed', { reason: window.reason })}
          onClick={() => edit(window)}
        >
          <IconPencil size={14} />
        </ActionIcon>
      </Tooltip>
      <Tooltip label={t('windows.end.action')}>
        <ActionIcon aria-label={t('windows.end.named', { reason: window.reason })} onClick={end}>
          <IconPlayerStop size={14} />
        </ActionIcon>
      </Tooltip>
    </>
  )
}

function CompactWindow({ window }: { window: Window }) {
  return (
    <>
      <div>{window.reason}</div>
      <div className="dim">
        <Scope window={window} /> · <State window={window} />
      </div>
    </>
  )
}
