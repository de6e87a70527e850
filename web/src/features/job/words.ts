import type { Job, Preview } from '../../api/types'

/** The schedule's sentence in the language of the console. */
export function sentence(of: Pick<Job, 'sentence_en' | 'sentence_zh'> | Preview, locale: string): string {
  return (locale.startsWith('zh') ? of.sentence_zh : of.sentence_en) ?? ''
}
