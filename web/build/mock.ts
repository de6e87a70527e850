import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import type { Plugin } from 'vite'

/** Serves `/api` of the development server from the in-memory backend in `src/dev`; never part of a build. */
export function mockBackend(): Plugin {
  return {
    name: 'mock-backend',
    apply: 'serve',
    async configureServer(server) {
      const module = (await server.ssrLoadModule(
        '/src/dev/backend.ts',
      )) as typeof import('../src/dev/backend')
      const { handle } = module.backend({ live: true })
      server.middlewares.use((request, response, next) => {
        if (!request.url?.startsWith('/api/')) return next()
        answer(request, response, handle).catch(next)
      })
    },
  }
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  handle: (request: Request) => Promise<Response>,
): Promise<void> {
  const gone = new AbortController()
  response.on('close', () => gone.abort())
  const hasBody = request.method !== 'GET' && request.method !== 'DELETE'
  const answered = await handle(
    new Request(`http://mock${request.url}`, {
      method: request.method,
      headers: request.headers as Record<string, string>,
      body: hasBody ? (Readable.toWeb(request) as ReadableStream) : undefined,
      duplex: 'half',
      signal: gone.signal,
    } as RequestInit),
  )
  response.writeHead(answered.status, Object.fromEntries(answered.headers))
  if (!answered.body) {
    response.end()
    return
  }
  response.flushHeaders()
  for await (const part of answered.body) response.write(part)
  response.end()
}
