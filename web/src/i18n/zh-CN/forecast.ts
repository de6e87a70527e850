import type { Translation } from '../catalogue'
import type { forecast as en } from '../en/forecast'

export const forecast: Translation<typeof en> = {
  alive_other: '同时最多有 {{count}} 个进程',
  approximate: '部分作业到点过于频繁，按均匀分布计算。',
  bar_other: '{{from}} 至 {{until}}：启动 {{count}} 次',
  busiest: '{{agent}} 上一秒内的启动次数：',
  busiestOf: '{{agent}}（{{count}} 个代理中最忙的一台）上一秒内的启动次数：',
  chart: '未来 24 小时的启动次数',
  doubles: '一次运行最长约 {{lasting}}：{{all}} 次中有 {{count}} 次会与前一次同时运行。',
  lasts: '十次运行中有九次不超过 {{lasting}}。',
  more_other: '以及另外 {{count}} 个',
  nothing: '没有到点的运行。',
  onlyMine: '只计入你可以查看的分组的作业。',
  peak_other: '一秒内最多启动 {{count}} 次',
  replaces: '一次运行最长约 {{lasting}}：{{all}} 次中有 {{count}} 次会停止前一次。',
  skips: '一次运行最长约 {{lasting}}：{{all}} 次中有 {{count}} 次会被跳过。',
  spread:
    '{{count}} 个作业按“{{expression}}”同时启动；改用“{{suggested}}”后，最多同时启动 {{after}} 次，而不是 {{before}} 次。',
  starts_other: '启动 {{count}} 次',
  title: '未来 24 小时',
  unknown: '尚不知道它的运行需要多长时间。',
  waits: '一次运行最长约 {{lasting}}：{{all}} 次中有 {{count}} 次需要排队，等待已满时会被跳过。',
}
