import { describe, expect, it } from 'vitest'
import { joinArgv, splitArgv } from './argv'

describe('splitArgv', () => {
  it.each([
    ['', []],
    ['  /bin/date   +%s ', ['/bin/date', '+%s']],
    [`echo 'a b' "c d" e\\ f`, ['echo', 'a b', 'c d', 'e f']],
    [`echo '' ""`, ['echo', '', '']],
    [`echo 'it'\\''s'`, ['echo', "it's"]],
    [`echo "say \\"hi\\" $HOME"`, ['echo', 'say "hi" $HOME']],
    ['echo 中文 「引号」', ['echo', '中文', '「引号」']],
    [`echo 'unfinished`, ['echo', 'unfinished']],
  ])('reads %j', (line, argv) => {
    expect(splitArgv(line)).toEqual(argv)
  })
})

describe('joinArgv', () => {
  it.each([
    [['/bin/sh', '-c', 'echo "a" \'b\' $X | cat']],
    [['', ' ', '\\', "'"]],
    [['--a=b', 'c:d', '中 文']],
  ])('writes what splitArgv reads back: %j', (argv) => {
    expect(splitArgv(joinArgv(argv))).toEqual(argv)
  })
})
