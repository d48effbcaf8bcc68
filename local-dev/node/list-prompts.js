// `GET /api/v1/prompts` as a Node.js function, for `cargo dev bench runtime`: the same checks, the same SQL, the same answer
// and a log line as long. It is what is left when everything usual is left out: no framework, no validation of the query, no
// routes, no client for the Runtime API but Node's own.
'use strict'

const { createHmac, timingSafeEqual } = require('node:crypto')
const http = require('node:http')
const Database = require('better-sqlite3')

const COLUMNS = 'id, data, revision, created_at, updated_at'
const CLOCK_SKEW_SECONDS = 60
const HEADERS = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'self'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'origin-agent-cluster': '?1',
  'referrer-policy': 'no-referrer',
  'strict-transport-security': 'max-age=31536000; includeSubDomains',
  'x-content-type-options': 'nosniff',
  'x-dns-prefetch-control': 'off',
  'x-download-options': 'noopen',
  'x-frame-options': 'SAMEORIGIN',
  'x-permitted-cross-domain-policies': 'none',
  'x-xss-protection': '0',
}

// Opened with the first request, as ours is.
let statements

function open() {
  const db = new Database(process.env.DATABASE_URL.replace(/^file:/, ''))
  return {
    user: db.prepare(`SELECT ${COLUMNS} FROM users WHERE id = ? LIMIT 1`),
    count: db.prepare('SELECT count(*) AS n FROM prompts WHERE true'),
    page: db.prepare(`SELECT ${COLUMNS} FROM prompts WHERE true ORDER BY created_at DESC, id DESC LIMIT ? OFFSET ?`),
  }
}

/** The claims of a session token (JWT, HS256) that is ours and valid now. */
function verify(token) {
  const [head, claims, signature, more] = token.split('.')
  if (!signature || more !== undefined) return undefined
  if (JSON.parse(Buffer.from(head, 'base64url')).alg !== 'HS256') return undefined
  const expected = createHmac('sha256', process.env.AUTH_SECRET_KEY).update(`${head}.${claims}`).digest()
  const given = Buffer.from(signature, 'base64url')
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return undefined
  const said = JSON.parse(Buffer.from(claims, 'base64url'))
  const now = Math.floor(Date.now() / 1000)
  return said.exp > now && said.iat <= now + CLOCK_SKEW_SECONDS ? said : undefined
}

/** Who calls, if the session is current. */
function recognise(event) {
  const header = event.headers.authorization
  const claims = header?.startsWith('Bearer ') ? verify(header.slice('Bearer '.length)) : undefined
  const row = claims && statements.user.get(claims.sub)
  const user = row && JSON.parse(row.data)
  return user && user.status === 'active' && (user.session_version ?? 0) === claims.ver ? row.id : undefined
}

function prompt(row) {
  const stored = JSON.parse(row.data)
  return {
    id: row.id,
    name: stored.name,
    prompt: stored.prompt,
    json_schema_response: stored.json_schema_response,
    json_schema_input: stored.json_schema_input,
    current_version: stored.current_version,
    options: stored.options,
    versions: stored.versions.map((version) => ({
      version: version.version,
      name: version.name,
      prompt: version.prompt,
      json_schema_response: version.json_schema_response,
      json_schema_input: version.json_schema_input,
      options: version.options,
      created_at: version.created_at,
    })),
    created_at: row.created_at,
    updated_at: row.updated_at,
  }
}

function list(query) {
  const page = Number(query?.page ?? 1)
  const limit = Number(query?.limit ?? 10)
  const total = statements.count.get().n
  const data = statements.page.all(limit, (page - 1) * limit).map(prompt)
  const totalPages = Math.ceil(total / limit)
  return { data: { data, total, page, limit, totalPages, hasNext: page < totalPages, hasPrev: page > 1 } }
}

function answer(event) {
  const started = performance.now()
  statements ??= open()
  const caller = recognise(event)
  const status = caller ? 200 : 401
  const body = caller ? list(event.queryStringParameters) : { data: { error: 'Unauthorized', message: 'sign in first' } }
  const line = {
    timestamp: new Date().toISOString(),
    level: 'INFO',
    message: 'request served',
    method: event.requestContext.http.method,
    route: event.rawPath,
    status,
    duration_ms: performance.now() - started,
    'caller.kind': caller ? 'user' : 'nobody',
    'caller.id': caller ?? '-',
    target: 'list_prompts',
    request_id: event.requestContext.requestId,
  }
  process.stdout.write(`${JSON.stringify(line)}\n`)
  const text = JSON.stringify(body)
  const headers = {
    'content-type': 'application/json',
    'content-length': String(Buffer.byteLength(text)),
    ...HEADERS,
    'x-request-id': event.requestContext.requestId,
  }
  return { statusCode: status, headers, multiValueHeaders: {}, body: text, isBase64Encoded: false, cookies: [] }
}

const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(':')
const agent = new http.Agent({ keepAlive: true, maxSockets: 1, noDelay: true })

/** One exchange with the Runtime API. */
function exchange(method, path, body) {
  return new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
    const request = http.request({ host, port, method, path: `/2018-06-01/runtime/invocation/${path}`, headers, agent })
    request.on('error', reject)
    request.on('response', (response) => {
      const parts = []
      response.on('data', (part) => parts.push(part))
      response.on('error', reject)
      response.on('end', () => resolve({ headers: response.headers, body: Buffer.concat(parts).toString() }))
    })
    request.end(body)
  })
}

async function run() {
  for (;;) {
    const call = await exchange('GET', 'next')
    const id = call.headers['lambda-runtime-aws-request-id']
    await exchange('POST', `${id}/response`, JSON.stringify(answer(JSON.parse(call.body))))
  }
}

run().catch((error) => {
  console.error(error)
  process.exitCode = 1
})
