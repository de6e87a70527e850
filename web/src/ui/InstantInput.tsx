import { TextInput } from '@mantine/core'

interface InstantInputProps {
  label: string
  /** An instant in UTC; nothing when absent. */
  value: string | undefined
  onChange: (at: string | undefined) => void
  description?: string
  error?: string
}

/** An instant, given as date and time in the viewer's zone. */
export function InstantInput({ value, onChange, ...props }: InstantInputProps) {
  return (
    <TextInput
      {...props}
      type="datetime-local"
      step={1}
      inputWrapperOrder={['label', 'input', 'description', 'error']}
      value={toLocal(value)}
      onChange={(event) => onChange(fromLocal(event.currentTarget.value))}
    />
  )
}

/** An instant as the local date and time that the browser's field wants. */
function toLocal(at: string | undefined): string {
  if (!at) return ''
  const date = new Date(at)
  if (Number.isNaN(date.getTime())) return ''
  const two = (part: number) => String(part).padStart(2, '0')
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}T${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
}

function fromLocal(text: string): string | undefined {
  const date = new Date(text)
  return text === '' || Number.isNaN(date.getTime()) ? undefined : date.toISOString()
}
