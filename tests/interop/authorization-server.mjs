// The certified authorization server of npm's oidc-provider, for one host and until standard input ends.
//
// Prints its issuer as soon as it listens. Then reads one line, JSON: {redirectUris, accessTokenSeconds, publicJwk}, and prints "ready". The
// client is "jackfield" with the secret "interop-secret", by HTTP Basic; "jackfield-post" proves itself in the body, "jackfield-key" by
// an assertion that is signed (RS256) with the key of publicJwk. Its pages log anybody in, without JavaScript.
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import Provider from 'oidc-provider';

const server = createServer();
await new Promise((listens) => server.listen(0, '127.0.0.1', listens));
const issuer = `http://127.0.0.1:${server.address().port}`;
console.log(issuer);

const lines = createInterface({ input: process.stdin });
const wanted = JSON.parse((await lines[Symbol.asyncIterator]().next()).value);
process.stdin.on('end', () => process.exit(0));

const client = (client_id, token_endpoint_auth_method, proof) => ({
  client_id,
  token_endpoint_auth_method,
  redirect_uris: wanted.redirectUris,
  grant_types: ['authorization_code', 'refresh_token'],
  response_types: ['code'],
  ...proof,
});
const client_secret = 'interop-secret';
const clients = [
  client('jackfield', 'client_secret_basic', { client_secret }),
  client('jackfield-post', 'client_secret_post', { client_secret }),
];
if (wanted.publicJwk) {
  const proof = { jwks: { keys: [wanted.publicJwk] }, token_endpoint_auth_signing_alg: 'RS256' };
  clients.push(client('jackfield-key', 'private_key_jwt', proof));
}

const provider = new Provider(issuer, {
  clients,
  claims: { openid: ['sub'], profile: ['name'] },
  conformIdTokenClaims: false,
  cookies: { keys: ['only for tests'] },
  features: {
    devInteractions: { enabled: true },
    introspection: { enabled: true },
    revocation: { enabled: true },
  },
  findAccount: (_, sub) => ({ accountId: sub, claims: () => ({ sub, name: `Account of ${sub}` }) }),
  issueRefreshToken: () => true,
  pkce: { methods: ['S256'], required: () => true },
  rotateRefreshToken: true, // used twice, a refresh token ends its whole grant
  ttl: { AccessToken: wanted.accessTokenSeconds ?? 3600 },
});
server.on('request', provider.callback());
console.log('ready');
