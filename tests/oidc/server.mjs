// A real OpenID provider for the tests: the certified `oidc-provider`, its clients and accounts
// from one JSON file, with plain HTML forms of its own for sign-in and consent.
// Nothing is kept on disk, and nothing here decides what is a valid token: the package does.
//
//     node server.mjs CONFIG.json
//
// CONFIG.json: { port, access_token_seconds, rotate_refresh_tokens, scopes,
//                accounts: [{ address, password }],
//                clients:  [{ client_id, client_secret?, redirect_uris }] }
//
// Prints one line of JSON when it accepts connections: {"ready":true,"issuer":"http://127.0.0.1:PORT"}.
// Ends when its standard input closes, so that it never outlives the test that started it.

import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import Provider from 'oidc-provider';

const config = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const passwords = new Map(config.accounts.map((account) => [account.address, account.password]));

// Every stored value by model and id; `Rows` is the storage that `oidc-provider` asks for.
const rows = new Map();

class Rows {
  constructor(model) { this.model = model; }

  key(id) { return `${this.model}:${id}`; }

  async upsert(id, payload, expiresIn) {
    const endsAt = expiresIn === undefined ? Infinity : Date.now() + expiresIn * 1000;
    rows.set(this.key(id), { id, model: this.model, payload, endsAt });
  }

  async find(id) {
    const row = rows.get(this.key(id));
    return row && row.endsAt > Date.now() ? row.payload : undefined;
  }

  async findBy(field, value) {
    for (const row of rows.values()) {
      if (row.model === this.model && row.payload[field] === value) return this.find(row.id);
    }
    return undefined;
  }

  async findByUid(uid) { return this.findBy('uid', uid); }

  async findByUserCode(userCode) { return this.findBy('userCode', userCode); }

  async consume(id) { rows.get(this.key(id)).payload.consumed = Math.floor(Date.now() / 1000); }

  async destroy(id) { rows.delete(this.key(id)); }

  async revokeByGrantId(grantId) {
    for (const [key, row] of rows) if (row.payload.grantId === grantId) rows.delete(key);
  }
}

// Ends everything an account has agreed to: grants and the tokens and codes that came of them.
// Sessions stay: the person is still signed in, as after "remove access" at a real provider.
function revokeGrantsOf(address) {
  let n_removed = 0;
  for (const [key, row] of rows) {
    if (row.model !== 'Session' && row.payload.accountId === address) {
      rows.delete(key);
      n_removed += 1;
    }
  }
  // A session remembers its grants by client; a remembered grant that is gone must be asked anew.
  for (const row of rows.values()) {
    if (row.model === 'Session' && row.payload.accountId === address) row.payload.authorizations = {};
  }
  return n_removed;
}

const server = createServer();
await new Promise((resolve) => { server.listen(config.port, '127.0.0.1', resolve); });
const issuer = `http://127.0.0.1:${server.address().port}`;

const signingKey = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
const provider = new Provider(issuer, {
  adapter: Rows,
  jwks: { keys: [{ ...signingKey.export({ format: 'jwk' }), use: 'sig', alg: 'RS256' }] },
  cookies: { keys: [randomBytes(32).toString('hex')] },
  clients: config.clients.map(({ client_id, client_secret, redirect_uris }) => ({
    client_id,
    redirect_uris,
    // A client without a redirect only asks about tokens (RFC 7662): the mail server.
    response_types: redirect_uris.length > 0 ? ['code'] : [],
    grant_types: redirect_uris.length > 0 ? ['authorization_code', 'refresh_token'] : [],
    application_type: client_secret ? 'web' : 'native',
    ...(client_secret
      ? { client_secret, token_endpoint_auth_method: 'client_secret_basic' }
      : { token_endpoint_auth_method: 'none' }),
  })),
  scopes: config.scopes,
  claims: { openid: ['sub'], email: ['email', 'email_verified'] },
  findAccount: (_ctx, address) => (passwords.has(address)
    ? { accountId: address, claims: () => ({ sub: address, email: address, email_verified: true }) }
    : undefined),
  pkce: { required: () => true },
  rotateRefreshToken: () => config.rotate_refresh_tokens,
  clientBasedCORS: () => true,
  ttl: {
    AccessToken: config.access_token_seconds,
    AuthorizationCode: 60,
    IdToken: 3600,
    Interaction: 3600,
    Grant: 14 * 24 * 3600,
    RefreshToken: 14 * 24 * 3600,
    Session: 14 * 24 * 3600,
  },
  features: {
    devInteractions: { enabled: false },
    introspection: { enabled: true, allowedPolicy: (_ctx, client) => client.clientAuthMethod !== 'none' },
    revocation: { enabled: true },
    rpInitiatedLogout: { enabled: false },
  },
  interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
});
provider.on('server_error', (_ctx, error) => console.error(error));
for (const event of ['authorization.error', 'grant.error', 'introspection.error', 'userinfo.error', 'revocation.error']) {
  provider.on(event, (_ctx, error) => console.error(`${event}: ${error.error}: ${error.error_detail ?? error.error_description}`));
}

const ENTITIES = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
const escape = (text) => String(text).replace(/[&<>"']/g, (found) => ENTITIES[found]);
const page = (title, body) => `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>${escape(title)}</title></head>
<body><h1>${escape(title)}</h1>
${body}
</body></html>
`;

const signInPage = (uid, login, error) => page('Sign in (OpenID provider of the tests)', `
${error ? `<p role="alert">${escape(error)}</p>` : ''}
<form method="post" action="/interaction/${uid}/sign-in">
  <label>E-mail address <input type="email" name="login" value="${escape(login)}" required></label>
  <label>Password <input type="password" name="password" required></label>
  <button type="submit">Sign in</button>
</form>
<form method="post" action="/interaction/${uid}/cancel"><button type="submit">Cancel</button></form>`);

const consentPage = (uid, address, clientId, scopes) => page('Allow access (OpenID provider of the tests)', `
<p>${escape(clientId)} asks for access to ${escape(address)}:</p>
<ul>${scopes.map((scope) => `<li>${escape(scope)}</li>`).join('')}</ul>
<form method="post" action="/interaction/${uid}/consent"><button type="submit">Allow</button></form>
<form method="post" action="/interaction/${uid}/cancel"><button type="submit">Cancel</button></form>`);

async function formOf(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return new URLSearchParams(Buffer.concat(chunks).toString('utf8'));
}

function sendPage(response, status, html) {
  response.writeHead(status, { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' });
  response.end(html);
}

async function showInteraction(request, response) {
  const { uid, prompt, params, session } = await provider.interactionDetails(request, response);
  if (prompt.name === 'login') sendPage(response, 200, signInPage(uid, params.login_hint ?? ''));
  else sendPage(response, 200, consentPage(uid, session.accountId, params.client_id, params.scope.split(' ')));
}

async function signIn(request, response) {
  const { uid } = await provider.interactionDetails(request, response);
  const form = await formOf(request);
  const address = (form.get('login') ?? '').trim().toLowerCase();
  if (!passwords.has(address) || passwords.get(address) !== form.get('password')) {
    sendPage(response, 401, signInPage(uid, address, 'The address or the password is wrong.'));
    return;
  }
  await provider.interactionFinished(request, response, { login: { accountId: address } }, { mergeWithLastSubmission: false });
}

async function consent(request, response) {
  const { prompt, params, session, grantId } = await provider.interactionDetails(request, response);
  const known = grantId ? await provider.Grant.find(grantId) : undefined;
  const grant = known ?? new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  if (prompt.details.missingOIDCScope) grant.addOIDCScope(prompt.details.missingOIDCScope.join(' '));
  if (prompt.details.missingOIDCClaims) grant.addOIDCClaims(prompt.details.missingOIDCClaims);
  await provider.interactionFinished(request, response, { consent: { grantId: await grant.save() } }, { mergeWithLastSubmission: true });
}

async function cancel(request, response) {
  await provider.interactionFinished(
    request,
    response,
    { error: 'access_denied', error_description: 'the person declined' },
    { mergeWithLastSubmission: false },
  );
}

async function revoke(request, response) {
  const address = (await formOf(request)).get('address') ?? '';
  response.writeHead(passwords.has(address) ? 200 : 404, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ removed: revokeGrantsOf(address) }));
}

const callback = provider.callback();
const routes = [
  ['GET', /^\/interaction\/[^/]+$/, showInteraction],
  ['POST', /^\/interaction\/[^/]+\/sign-in$/, signIn],
  ['POST', /^\/interaction\/[^/]+\/consent$/, consent],
  ['POST', /^\/interaction\/[^/]+\/cancel$/, cancel],
  ['POST', /^\/admin\/revoke$/, revoke],
];
server.on('request', (request, response) => {
  const { pathname } = new URL(request.url, issuer);
  const route = routes.find(([method, path]) => method === request.method && path.test(pathname));
  if (!route) {
    callback(request, response);
    return;
  }
  route[2](request, response).catch((error) => {
    console.error(error);
    if (!response.headersSent) sendPage(response, 400, page('This sign-in has ended', `<p>${escape(error.message)}</p>`));
  });
});

process.stdin.resume().on('end', () => process.exit(0)).on('error', () => process.exit(0));
process.on('SIGTERM', () => process.exit(0));
console.log(JSON.stringify({ ready: true, issuer }));
