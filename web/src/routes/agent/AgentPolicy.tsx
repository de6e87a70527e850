import { useTranslation } from 'react-i18next'
import type { Agent } from '../../api/types'
import { Facts } from '../../ui/Facts'
import { Empty } from '../../ui/States'
import { AtAndAgo } from '../../ui/Time'
import classes from './AgentPage.module.css'

/** What the machine's own policy lets this center do there. Only shown: nothing here can change it. */
export function AgentPolicy({ agent }: { agent: Agent }) {
  const { t } = useTranslation()
  const policy = agent.policy
  if (!policy) return <Empty title={t('agents.policy.unknownTitle')}>{t('agents.policy.unknownText')}</Empty>
  return (
    <div className={classes.pad}>
      <p className={classes.intro}>{t('agents.policy.text')}</p>
      {policy.reload_error && (
        <p role="alert" className={classes.problem}>
          <strong>{t('agents.policy.reloadError')}</strong> {policy.reload_error}
        </p>
      )}
      <Facts
        columns={2}
        items={[
          [
            t('agents.policy.file'),
            policy.file ? <code key="file">{policy.file}</code> : t('agents.policy.builtIn'),
          ],
          [t('agents.policy.readAt'), <AtAndAgo key="read" at={policy.read_at} />],
          [
            t('agents.policy.root'),
            policy.is_root_denied ? t('agents.policy.denied') : t('agents.policy.allowed'),
          ],
          [
            t('agents.policy.users'),
            <span key="users">
              {policy.run_as_allow.length > 0 ? policy.run_as_allow.join(', ') : t('agents.policy.nobody')}
              {policy.min_uid > 0 && (
                <span className="faint"> · {t('agents.policy.minUid', { uid: policy.min_uid })}</span>
              )}
            </span>,
          ],
          [t('agents.policy.programs'), t(`agents.policy.mode.${policy.exec_mode}`)],
          [
            t('agents.policy.shells'),
            policy.are_shells_allowed ? t('agents.policy.allowed') : t('agents.policy.denied'),
          ],
          [
            t('agents.policy.scripts'),
            policy.are_scripts_allowed ? t('agents.policy.allowed') : t('agents.policy.denied'),
          ],
          [t('agents.policy.refused'), String(policy.refused_count)],
          [
            t('agents.policy.lastRefusal'),
            policy.last_refused_at && (
              <span key="last">
                {policy.last_refusal}
                <br />
                <AtAndAgo at={policy.last_refused_at} />
              </span>
            ),
          ],
          [t('agents.policy.digest'), <code key="digest">{policy.digest.slice(0, 16)}</code>],
        ]}
      />
    </div>
  )
}
