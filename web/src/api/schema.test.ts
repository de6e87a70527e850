import { readFileSync } from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import openapiTS, { astToString, COMMENT_HEADER } from 'openapi-typescript'
import { expect, it } from 'vitest'

it('schema.d.ts is generated from the openapi.json that lies at the root; if not: npm run gen', async () => {
  const here = import.meta.dirname
  const description = pathToFileURL(path.join(here, '../../../openapi.json'))
  const generated = COMMENT_HEADER + astToString(await openapiTS(description))
  expect(readFileSync(path.join(here, 'schema.d.ts'), 'utf8')).toBe(generated)
}, 60_000)
