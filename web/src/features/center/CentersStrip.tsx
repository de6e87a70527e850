import { IconCalendarTime, IconCircleDashed, IconCircleFilled } from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { centersQuery } from '../../api/centers'
import type { Center } from '../../api/types'
import { Mark } from '../../ui/Mark'
import { Ago } from '../../ui/Time'
import classes from './CentersStrip.module.css'

/** The centers of a deployment that has several: which one plans, which one is gone. */
export function CentersStrip() {
  const { t } = useTranslation()
  const centers = useQuery(centersQuery).data ?? []
  if (centers.length < 2) return null
  return (
    <section className={classes.strip} aria-label={t('centers.title')}>
      <span className="dim">{t('centers.title')}</span>
      {centers.map((center) => (
        <span key={center.id} className={classes.center} title={`${center.address} · ${center.version}`}>
          <span className={classes.name}>{center.name}</span>
          <CenterMark center={center} />
          <span className="dim">
            {center.is_live ? (
              t('agents.count', { count: center.agent_count })
            ) : (
              <Ago at={center.last_seen_at} />
            )}
            {center.is_here && ` · ${t('centers.here')}`}
          </span>
        </span>
      ))}
    </section>
  )
}

function CenterMark({ center }: { center: Center }) {
  const { t } = useTranslation()
  if (!center.is_live) {
    return (
      <Mark tone="failed" icon={<IconCircleDashed size={13} />} isSoft>
        {t('centers.gone')}
      </Mark>
    )
  }
  return center.is_planning ? (
    <Mark tone="succeeded" icon={<IconCalendarTime size={13} />} isSoft>
      {t('centers.plans')}
    </Mark>
  ) : (
    <Mark tone="skipped" icon={<IconCircleFilled size={9} style={{ margin: '0 2px' }} />} isSoft>
      {t('centers.serves')}
    </Mark>
  )
}
