import { SegmentedControl, Select, Textarea, TextInput } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import { INTERPRETER } from '../../features/job/draft'
import { splitArgv } from '../../lib/argv'
import { type FieldsProps, Part } from './JobForm'
import classes from './JobForm.module.css'

/** Signs that somebody expects a shell. */
const SHELL = /(^|\s)(\||\|\||&&|>|>>|<|2>&1|;)(\s|$)|\$[A-Za-z_({]|`/

/** What to run and as whom. */
export function CommandFields({ draft, set, errorAt, runAs }: FieldsProps & { runAs: readonly string[] }) {
  const { t } = useTranslation()
  const argv = splitArgv(draft.argv)
  return (
    <Part title={t('editor.command')}>
      <SegmentedControl
        aria-label={t('editor.command')}
        className={classes.start}
        value={draft.commandKind}
        onChange={(kind) => set({ commandKind: kind === 'script' ? 'script' : 'argv' })}
        data={[
          { value: 'argv', label: t('editor.argv') },
          { value: 'script', label: t('editor.script') },
        ]}
      />
      {draft.commandKind === 'argv' ? (
        <div>
          <TextInput
            className={classes.code}
            label={t('field.command_argv')}
            placeholder="/usr/local/bin/backup --full /srv"
            spellCheck={false}
            autoComplete="off"
            value={draft.argv}
            onChange={(event) => set({ argv: event.currentTarget.value })}
            error={errorAt('command.argv')}
          />
          {argv.length > 0 && (
            <ol className={classes.argv} aria-label={t('editor.argvRead')} style={{ marginTop: 6 }}>
              {argv.map((word, nth) => (
                <li key={nth}>{word === '' ? "''" : word}</li>
              ))}
            </ol>
          )}
          <p className={SHELL.test(draft.argv) ? classes.warn : 'faint'} style={{ marginTop: 4 }}>
            {SHELL.test(draft.argv) ? t('editor.shellWarning') : t('editor.noShell')}
          </p>
        </div>
      ) : (
        <>
          <TextInput
            className={classes.code}
            label={t('field.command_script_interpreter')}
            placeholder={INTERPRETER}
            spellCheck={false}
            value={draft.interpreter}
            onChange={(event) => set({ interpreter: event.currentTarget.value })}
            error={errorAt('command.script.interpreter')}
          />
          <Textarea
            className={classes.code}
            label={t('field.command_script_text')}
            autosize
            minRows={6}
            maxRows={24}
            spellCheck={false}
            wrap="off"
            value={draft.script}
            onChange={(event) => set({ script: event.currentTarget.value })}
            error={errorAt('command.script.text')}
          />
        </>
      )}
      <div className={classes.pair}>
        <Select
          label={t('field.run_as')}
          data={runAs.slice()}
          value={draft.runAs || null}
          allowDeselect={false}
          onChange={(user) => user && set({ runAs: user })}
          placeholder={runAs.length === 0 ? t('editor.noRunAs') : undefined}
          error={errorAt('run_as') ?? (runAs.length === 0 ? t('editor.noRunAsText') : undefined)}
        />
      </div>
    </Part>
  )
}
