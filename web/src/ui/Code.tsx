import type { ComponentProps } from 'react'

/** Preformatted text that may scroll, and so must be reachable by keyboard. */
export function Code(props: ComponentProps<'pre'>) {
  // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling area must be reachable by keyboard
  return <pre tabIndex={0} {...props} />
}
