/**
 * The shape that a translation must have: every key of the English catalogue, no other. A text that depends on a number has one
 * key per plural form (`_one`, `_other`); languages without a singular leave `_one` out.
 */
export type Translation<T> = {
  [K in keyof T as K extends `${string}_one` ? never : K]: T[K] extends string ? string : Translation<T[K]>
} & {
  [K in keyof T as K extends `${string}_one` ? K : never]?: string
}
