import { readdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { brotliCompress, constants, gzip } from 'node:zlib'
import type { Plugin } from 'vite'

const TEXT = /\.(js|css|html|svg|json|txt)$/
const brotliAsync = promisify(brotliCompress)
const gzipAsync = promisify(gzip)

/** Writes a `.gz` and a `.br` beside every text file of the build; the center serves whichever the browser accepts. */
export function compress(): Plugin {
  let outDir = ''
  return {
    name: 'compress',
    apply: 'build',
    configResolved(config) {
      outDir = path.resolve(config.root, config.build.outDir)
    },
    async closeBundle() {
      const entries = await readdir(outDir, { recursive: true, withFileTypes: true })
      const files = entries.filter((entry) => entry.isFile() && TEXT.test(entry.name))
      await Promise.all(files.map((file) => writeSiblings(path.join(file.parentPath, file.name))))
    },
  }
}

async function writeSiblings(file: string): Promise<void> {
  const text = await readFile(file)
  const [gz, br] = await Promise.all([
    gzipAsync(text, { level: 9 }),
    brotliAsync(text, { params: { [constants.BROTLI_PARAM_SIZE_HINT]: text.length } }),
  ])
  await Promise.all([writeFile(`${file}.gz`, gz), writeFile(`${file}.br`, br)])
}
