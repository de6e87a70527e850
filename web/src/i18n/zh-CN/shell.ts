export const common = {
  actions: '操作',
  cancel: '取消',
  clear: '清除',
  close: '关闭',
  copied: '已复制',
  copy: '复制',
  delete: '删除',
  edit: '编辑',
  loading: '加载中…',
  more: '更多操作',
  no: '否',
  nothing: '没有找到',
  retry: '重试',
  save: '保存',
  spanWrong: '请填写时长，例如 90s、5m 或 1h 30m',
  undo: '撤销',
  yes: '是',
}

export const nav = {
  jobs: '作业',
  runs: '运行记录',
  daemons: '常驻进程',
  agents: '代理',
  windows: '窗口',
  calendars: '日历',
  groups: '分组',
  users: '用户',
}

export const shell = {
  account: '{{name}} 的账户与外观',
  find: '查找',
  fold: '收起导航',
  menu: '菜单',
  navigation: '页面',
  palette: '查找作业、代理、页面和操作',
  shortcuts: '键盘快捷键',
  skip: '跳到正文',
  unfold: '展开导航',
}

export const shortcut = {
  palette: '查找并执行任何操作',
  search: '在本页搜索',
  create: '新建作业',
  jobs: '前往作业',
  runs: '前往运行记录',
  daemons: '前往常驻进程',
  agents: '前往代理',
  groups: '前往分组',
  help: '显示此列表',
}

export const palette = {
  placeholder: '作业、代理、页面或操作',
  jobs: '作业',
  agents: '代理',
  pages: '页面与操作',
  failures: '失败的运行',
  run: '立即运行 {{job}}',
  pause: '暂停 {{job}}',
  resume: '恢复 {{job}}',
}

export const connection = {
  live: { word: '实时', text: '变化会立即显示。' },
  connecting: { word: '连接中', text: '正在连接中心。' },
  polling: { word: '重新连接中', text: '实时连接已中断，正在不断重试；在此期间页面每隔几秒刷新一次。' },
  asleep: { word: '休眠', text: '页面曾被隐藏，再次查看时会立即更新。' },
}

export const filter = {
  agent: '代理',
  clear: '清除筛选',
  group: '分组',
  kind: '类型',
  noneFoundText: '没有符合筛选条件的内容，请去掉一些条件。',
  state: '状态',
}

export const role = {
  viewer: '查看者',
  operator: '操作员',
  editor: '编辑者',
  owner: '所有者',
}

export const time = {
  any: '任意时间',
  from: '从',
  last: { hour: '1 小时', day: '24 小时', week: '7 天', month: '30 天' },
  now: '现在',
  range: '时间范围',
  to: '到',
}
