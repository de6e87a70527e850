import { TextInput } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import { type ApiError, errorHint, errorText } from '../../api/error'
import { Code } from '../../ui/Code'
import classes from './ExpressionField.module.css'

interface ExpressionFieldProps {
  value: string
  onChange: (value: string) => void
  error: ApiError | undefined
}

const EXAMPLES = [
  '*/5 * * * *',
  '0 2 * * *',
  '0 9 * * MON-FRI',
  '0 0 L * *',
  '@every 30s',
  '@hourly',
  '@reboot',
]

/** The text of a schedule. An error shows at the character it is about, with what would be right. */
export function ExpressionField({ value, onChange, error }: ExpressionFieldProps) {
  const { t } = useTranslation()
  const hint = error && errorHint(error)
  return (
    <div>
      <TextInput
        label={t('schedule.expression')}
        aria-describedby="expression-error"
        classNames={{ input: classes.input }}
        value={value}
        spellCheck={false}
        autoComplete="off"
        onChange={(event) => onChange(event.currentTarget.value)}
        error={Boolean(error)}
      />
      <div id="expression-error" aria-live="polite">
        {error && (
          <div className={classes.error}>
            {error.column !== undefined && value !== '' && <Pointer text={value} column={error.column} />}
            <p className="danger">{errorText(error)}</p>
            {hint && <p className="dim">{hint}</p>}
          </div>
        )}
      </div>
      <div className={classes.examples}>
        <span className="faint">{t('schedule.examples')}</span>
        {EXAMPLES.map((example) => (
          <button key={example} type="button" className={classes.example} onClick={() => onChange(example)}>
            {example}
          </button>
        ))}
      </div>
    </div>
  )
}

/** The text again with the wrong character marked; behind the end when something is missing. */
function Pointer({ text, column }: { text: string; column: number }) {
  const { t } = useTranslation()
  const characters = [...text]
  const at = Math.min(column - 1, characters.length)
  return (
    <Code className={classes.pointer} data-testid="expression-pointer">
      {characters.slice(0, at).join('')}
      <mark title={t('schedule.at', { column })}>{characters[at] ?? ' '}</mark>
      {characters.slice(at + 1).join('')}
    </Code>
  )
}
