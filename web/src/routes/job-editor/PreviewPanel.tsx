import { useTranslation } from 'react-i18next'
import type { Preview } from '../../api/types'
import { ChangeLines } from '../../features/forecast/ChangeLines'
import type { Draft } from '../../features/job/draft'
import { sentence } from '../../features/job/words'
import { ClockChanges } from '../../features/schedule/ClockChanges'
import { NextRuns, Warnings } from '../../features/schedule/NextRuns'
import { formatSpan } from '../../lib/span'
import classes from './JobForm.module.css'

interface PreviewPanelProps {
  draft: Draft
  jobId?: string
  live: { preview: Preview | undefined; refusal: unknown; isStale: boolean }
}

/** What the definition means: the schedule as a sentence with its next runs, or how the daemon is kept alive. */
export function PreviewPanel({ draft, jobId, live }: PreviewPanelProps) {
  const { t, i18n } = useTranslation()
  if (draft.kind === 'daemon') {
    return (
      <aside className={classes.panel} aria-label={t('editor.preview')}>
        <div>
          <h2 className={classes.panelTitle}>{t('editor.preview')}</h2>
          <p className={classes.sentence}>
            {t('editor.daemonSentence', {
              count: draft.processes,
              restart: t(`restart.${draft.daemon.restart}Sentence`),
            })}
          </p>
        </div>
        <p className="dim">
          {t('editor.daemonBackoff', {
            initial: formatSpan(draft.daemon.backoff_initial_ms),
            max: formatSpan(draft.daemon.backoff_max_ms),
            failures: draft.daemon.crash_loop_failures,
            window: formatSpan(draft.daemon.crash_loop_window_ms),
          })}
        </p>
      </aside>
    )
  }
  const { preview } = live
  return (
    <aside className={classes.panel} aria-label={t('editor.preview')} data-stale={live.isStale || undefined}>
      <div>
        <h2 className={classes.panelTitle}>{t('editor.preview')}</h2>
        {preview ? (
          <p className={`${classes.sentence} ${live.isStale ? classes.stale : ''}`} data-testid="sentence">
            {sentence(preview, i18n.language)}
          </p>
        ) : (
          <p className="dim">{live.refusal ? t('schedule.notYet') : t('schedule.none')}</p>
        )}
        {preview && preview.canonical !== draft.expression.trim() && (
          <p className="faint" style={{ marginTop: 4 }}>
            <code>{preview.canonical}</code>
          </p>
        )}
      </div>
      {preview && (
        <>
          <Warnings preview={preview} />
          <ClockChanges changes={preview.clock_changes} zone={draft.timeZone} />
          {preview.next.length > 0 && (
            <div className={live.isStale ? classes.stale : undefined}>
              <h2 className={classes.panelTitle}>
                {t('schedule.next')} <span className="faint">· {draft.timeZone}</span>
              </h2>
              <NextRuns preview={preview} zone={draft.timeZone} jitterMs={draft.jitterMs} />
            </div>
          )}
          <ChangeLines draft={draft} jobId={jobId} isOn={!live.isStale} titleClass={classes.panelTitle} />
        </>
      )}
    </aside>
  )
}
