import { Button, Checkbox, Modal, MultiSelect, NumberInput, Select, Stack } from '@mantine/core'
import { useMutation, useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { createJoinToken } from '../../api/agents'
import { errorText } from '../../api/error'
import { aboutQuery } from '../../api/session'
import type { JoinToken } from '../../api/types'
import { Fingerprint } from '../../features/agent/ApproveBanner'
import { useGroupOptions } from '../../features/group/useGroups'
import { CommandLine } from '../../ui/Copy'
import { Facts } from '../../ui/Facts'
import { AtAndAgo } from '../../ui/Time'

const LIFETIMES = [
  { seconds: 900, key: 'quarter' },
  { seconds: 3_600, key: 'hour' },
  { seconds: 86_400, key: 'day' },
  { seconds: 604_800, key: 'week' },
] as const

/** Mints a join token and shows the command to run on the new machine. The token is shown this once. */
export function AddAgentDialog({ isOpen, onClose }: { isOpen: boolean; onClose: () => void }) {
  const { t } = useTranslation()
  const [token, setToken] = useState<JoinToken>()
  const close = () => {
    setToken(undefined)
    onClose()
  }
  return (
    <Modal
      opened={isOpen}
      onClose={close}
      title={t('agents.add')}
      size={600}
      closeOnClickOutside={!token}
      closeButtonProps={{ 'aria-label': t('common.close') }}
    >
      {token ? <Minted token={token} onClose={close} /> : <Mint onMinted={setToken} />}
    </Modal>
  )
}

function Mint({ onMinted }: { onMinted: (token: JoinToken) => void }) {
  const { t } = useTranslation()
  const groups = useGroupOptions()
  const [groupIds, setGroupIds] = useState<string[]>([])
  const [isPreapproved, setPreapproved] = useState(false)
  const [ttl, setTtl] = useState('3600')
  const [uses, setUses] = useState(1)
  const mint = useMutation({
    mutationFn: () =>
      createJoinToken({
        group_ids: groupIds,
        is_preapproved: isPreapproved,
        ttl_seconds: Number(ttl),
        uses_max: uses,
      }),
    onSuccess: onMinted,
  })
  return (
    <Stack gap={14}>
      <p className="dim">{t('agents.join.text')}</p>
      <MultiSelect
        label={t('agents.serves')}
        data-autofocus
        data={groups}
        value={groupIds}
        onChange={setGroupIds}
        searchable
        placeholder={groupIds.length === 0 ? t('agents.noGroup') : undefined}
      />
      <div style={{ display: 'grid', gridTemplateColumns: '1fr 1fr', gap: 16 }}>
        <Select
          label={t('agents.join.lifetime')}
          data={LIFETIMES.map((lifetime) => ({
            value: String(lifetime.seconds),
            label: t(`agents.join.for.${lifetime.key}`),
          }))}
          value={ttl}
          allowDeselect={false}
          onChange={(value) => value && setTtl(value)}
        />
        <NumberInput
          label={t('agents.join.uses')}
          value={uses}
          min={1}
          max={1_000}
          allowDecimal={false}
          onChange={(value) => setUses(Number(value) || 1)}
        />
      </div>
      <Checkbox
        label={t('agents.join.preapproved')}
        description={t('agents.join.preapprovedText')}
        checked={isPreapproved}
        onChange={(event) => setPreapproved(event.currentTarget.checked)}
      />
      {mint.error && (
        <p role="alert" className="danger">
          {errorText(mint.error)}
        </p>
      )}
      <Button onClick={() => mint.mutate()} loading={mint.isPending} style={{ alignSelf: 'flex-end' }}>
        {t('agents.join.action')}
      </Button>
    </Stack>
  )
}

function Minted({ token, onClose }: { token: JoinToken; onClose: () => void }) {
  const { t } = useTranslation()
  const about = useQuery(aboutQuery).data
  return (
    <Stack gap={14}>
      <p>{t('agents.join.run')}</p>
      <CommandLine text={token.command} what={t('agents.join.copy')} />
      <p className="dim">{t('agents.join.once')}</p>
      <Facts
        items={[
          [t('agents.join.expires'), <AtAndAgo key="expires" at={token.expires_at} />],
          [t('agents.join.center'), about && <code>{about.agent_address}</code>],
          [t('agents.join.ca'), about && <Fingerprint text={about.ca_sha256} />],
        ]}
      />
      <Button variant="default" onClick={onClose} style={{ alignSelf: 'flex-end' }}>
        {t('agents.join.done')}
      </Button>
    </Stack>
  )
}
