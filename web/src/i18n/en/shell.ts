export const common = {
  actions: 'Actions',
  cancel: 'Cancel',
  clear: 'Clear',
  close: 'Close',
  copied: 'Copied',
  copy: 'Copy',
  delete: 'Delete',
  edit: 'Edit',
  loading: 'Loading…',
  more: 'More actions',
  no: 'no',
  nothing: 'Nothing found',
  retry: 'Try again',
  save: 'Save',
  spanWrong: 'Write a time such as 90s, 5m or 1h 30m',
  undo: 'Undo',
  yes: 'yes',
}

export const nav = {
  jobs: 'Jobs',
  runs: 'Runs',
  daemons: 'Daemons',
  agents: 'Agents',
  windows: 'Windows',
  calendars: 'Calendars',
  groups: 'Groups',
  users: 'Users',
}

export const shell = {
  account: 'Account and appearance of {{name}}',
  find: 'Find',
  fold: 'Fold navigation',
  menu: 'Menu',
  navigation: 'Pages',
  palette: 'Find jobs, agents, pages and actions',
  shortcuts: 'Keyboard shortcuts',
  skip: 'Skip to content',
  unfold: 'Unfold navigation',
}

export const shortcut = {
  palette: 'Find anything, do anything',
  search: 'Search on this page',
  create: 'New job',
  jobs: 'Go to jobs',
  runs: 'Go to runs',
  daemons: 'Go to daemons',
  agents: 'Go to agents',
  groups: 'Go to groups',
  help: 'This list',
}

export const palette = {
  placeholder: 'Job, agent, page or action',
  jobs: 'Jobs',
  agents: 'Agents',
  pages: 'Pages and actions',
  failures: 'Runs that failed',
  run: 'Run {{job}} now',
  pause: 'Pause {{job}}',
  resume: 'Resume {{job}}',
}

export const connection = {
  live: { word: 'Live', text: 'Changes show as they happen.' },
  connecting: { word: 'Connecting', text: 'Connecting to the center.' },
  polling: {
    word: 'Reconnecting',
    text: 'The live connection is lost. It is tried again and again; until then the page is refreshed every few seconds.',
  },
  asleep: { word: 'Asleep', text: 'The page was hidden. It catches up as soon as you look at it.' },
}

export const filter = {
  agent: 'Agent',
  clear: 'Clear filters',
  group: 'Group',
  kind: 'Kind',
  noneFoundText: 'Nothing matches these filters. Clear some of them.',
  state: 'State',
}

export const role = {
  viewer: 'Viewer',
  operator: 'Operator',
  editor: 'Editor',
  owner: 'Owner',
}

export const time = {
  any: 'Any time',
  from: 'From',
  last: { hour: '1 hour', day: '24 hours', week: '7 days', month: '30 days' },
  now: 'now',
  range: 'Time range',
  to: 'To',
}
