// An OpenID Connect provider on this machine. Arguments: the redirect address of its one client,
// and where to tell groups, `id_token` or `userinfo`. Prints its issuer when it listens; a line
// `rotate` on its standard input makes it sign with another key.
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import Provider from 'oidc-provider';

console.info = console.warn = () => {}; // its advice for production is nothing to read here

const [redirect, place] = process.argv.slice(2);
const GROUPS = { ada: ['platform-team', 'search-team'], grace: ['search-team'], alan: [] };
const server = createServer((request, response) => handle(request, response));
let handle;

function newKey() {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { ...privateKey.export({ format: 'jwk' }), kid: randomUUID(), use: 'sig', alg: 'RS256' };
}

function serve(issuer) {
  const provider = new Provider(issuer, {
    clients: [{
      client_id: 'cupola',
      client_secret: 'a secret of the tests',
      redirect_uris: [redirect],
    }],
    jwks: { keys: [newKey()] },
    cookies: { keys: [randomUUID()] },
    claims: { openid: ['sub'], profile: ['preferred_username'], groups: ['groups'] },
    conformIdTokenClaims: place === 'userinfo',
    findAccount: (_context, id) => ({
      accountId: id,
      claims: () => ({ sub: id, preferred_username: id, groups: GROUPS[id] ?? [] }),
    }),
  });
  handle = provider.callback();
}

server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  serve(issuer);
  console.log(JSON.stringify({ issuer }));
  createInterface({ input: process.stdin })
    .on('line', () => { serve(issuer); console.log('rotated'); })
    .on('close', () => process.exit(0));
});
