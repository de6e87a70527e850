import { useTranslation } from 'react-i18next'
import type { Forecast } from '../../api/types'
import { clock, compactTime } from '../../lib/time'
import { bars } from './bars'
import classes from './forecast.module.css'

/** Starts over the next hours as thin bars; hover says from when until when, and how many. */
export function LoadChart({ forecast }: { forecast: Forecast }) {
  const { t, i18n } = useTranslation()
  const shown = bars(forecast)
  const time = (at: number) => clock(at, i18n.language).slice(0, 5)
  return (
    <figure className={classes.chart}>
      <div role="img" aria-label={t('forecast.chart')} className={classes.bars}>
        {shown.map((bar) => (
          <span
            key={bar.from}
            className={classes.bar}
            title={t('forecast.bar', {
              from: compactTime(bar.from, Date.parse(forecast.from), i18n.language),
              until: time(bar.until),
              count: bar.starts,
            })}
          >
            <i style={{ height: `${bar.percent}%` }} />
          </span>
        ))}
      </div>
      <figcaption className={classes.axis}>
        <span>{time(Date.parse(forecast.from))}</span>
        <span>{time((Date.parse(forecast.from) + Date.parse(forecast.until)) / 2)}</span>
        <span>{time(Date.parse(forecast.until))}</span>
      </figcaption>
    </figure>
  )
}
