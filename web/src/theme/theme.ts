import {
  Button,
  Checkbox,
  type CSSVariablesResolver,
  createTheme,
  type MantineColorsTuple,
} from '@mantine/core'

const accent: MantineColorsTuple = [
  '#ecedfb',
  '#d8dbf8',
  '#b5baf3',
  '#98a2ff',
  '#7f8bff',
  '#5a66ea',
  '#3f4bd1',
  '#343fb8',
  '#2a339a',
  '#1f2676',
]

const red: MantineColorsTuple = [
  '#fdecee',
  '#fad3d6',
  '#f5a7ad',
  '#ff8087',
  '#ea5c66',
  '#d5303d',
  '#bf1f2c',
  '#a51a26',
  '#86131d',
  '#670d15',
]

/** Neutral greys of the dark theme, light to dark; body and inputs take theirs from the tokens. */
const dark: MantineColorsTuple = [
  '#e4e7eb',
  '#c3c9d1',
  '#a2abb7',
  '#8b95a2',
  '#3b4149',
  '#2b3037',
  '#191c20',
  '#121417',
  '#0d0f12',
  '#08090b',
]

/** Mantine in the clothes of `tokens.css`. */
export const theme = createTheme({
  colors: { accent, red, dark },
  primaryColor: 'accent',
  primaryShade: { light: 6, dark: 3 },
  fontFamily: 'var(--font)',
  fontFamilyMonospace: 'var(--mono)',
  fontSizes: {
    xs: 'var(--size-s)',
    sm: 'var(--size-m)',
    md: 'var(--size-m)',
    lg: 'var(--size-l)',
    xl: 'var(--size-xl)',
  },
  defaultRadius: 'var(--radius)',
  cursorType: 'pointer',
  respectReducedMotion: true,
  headings: { fontWeight: '600' },
  components: {
    Button: Button.extend({
      defaultProps: { size: 'xs', fw: 500 },
      // The accent is light in the dark theme: what is written on it must turn dark with it.
      vars: (_, props) => ({
        root: (props.variant ?? 'filled') === 'filled' ? { '--button-color': 'var(--on-accent)' } : {},
      }),
    }),
    ActionIcon: { defaultProps: { variant: 'subtle', color: 'gray', size: 26 } },
    TextInput: { defaultProps: { size: 'xs' } },
    PasswordInput: { defaultProps: { size: 'xs' } },
    NumberInput: { defaultProps: { size: 'xs' } },
    Textarea: { defaultProps: { size: 'xs' } },
    Select: { defaultProps: { size: 'xs', comboboxProps: { shadow: 'sm' } } },
    MultiSelect: { defaultProps: { size: 'xs', comboboxProps: { shadow: 'sm' } } },
    TagsInput: { defaultProps: { size: 'xs' } },
    Autocomplete: { defaultProps: { size: 'xs' } },
    SegmentedControl: { defaultProps: { size: 'xs', withItemsBorders: false } },
    Checkbox: Checkbox.extend({ defaultProps: { size: 'xs', iconColor: 'var(--on-accent)' } }),
    Switch: { defaultProps: { size: 'xs' } },
    Modal: { defaultProps: { centered: true, radius: 8, transitionProps: { duration: 120 } } },
    Menu: { defaultProps: { shadow: 'sm', transitionProps: { duration: 80 } } },
    Tooltip: {
      defaultProps: { openDelay: 250, withArrow: false, fz: 12, transitionProps: { duration: 80 } },
    },
  },
})

const surfaces = {
  '--mantine-color-body': 'var(--bg)',
  '--mantine-color-text': 'var(--text)',
  '--mantine-color-dimmed': 'var(--text-dim)',
  '--mantine-color-placeholder': 'var(--text-faint)',
  '--mantine-color-anchor': 'var(--accent)',
  '--mantine-color-default': 'var(--bg)',
  '--mantine-color-default-hover': 'var(--bg-hover)',
  '--mantine-color-default-color': 'var(--text)',
  '--mantine-color-default-border': 'var(--line-strong)',
  '--mantine-color-error': 'var(--danger)',
  '--mantine-color-gray-light-color': 'var(--text-dim)',
  '--mantine-color-gray-light-hover': 'var(--bg-hover)',
  '--mantine-color-accent-light': 'var(--accent-soft)',
  '--mantine-color-accent-light-hover': 'var(--bg-chosen)',
  '--mantine-color-accent-light-color': 'var(--accent)',
  '--mantine-color-red-light': 'color-mix(in srgb, var(--danger) 10%, var(--bg))',
  '--mantine-color-red-light-hover': 'color-mix(in srgb, var(--danger) 18%, var(--bg))',
  '--mantine-color-red-light-color': 'var(--danger)',
  '--mantine-primary-color-filled': 'var(--accent)',
  '--mantine-primary-color-filled-hover': 'var(--accent-hover)',
}

/** Mantine's surfaces follow the tokens in both themes. */
export const cssVariables: CSSVariablesResolver = () => ({ variables: {}, light: surfaces, dark: surfaces })
