// Slack's own libraries against a server that says it is Slack: installs, refreshes, looks, gives up. Prints, as one JSON object, what the
// libraries understood. Its one argument is JSON: {slack, clientId, clientSecret}.
import { InstallProvider, LogLevel } from '@slack/oauth';
import { WebClient } from '@slack/web-api';

const { slack, clientId, clientSecret } = JSON.parse(process.argv[2]);
const clientOptions = { slackApiUrl: `${slack}/api/`, retryConfig: { retries: 0 }, rejectRateLimitedCalls: true };
const kept = {};
const installer = new InstallProvider({
  clientId,
  clientSecret,
  clientOptions,
  authVersion: 'v2',
  authorizationUrl: `${slack}/oauth/v2/authorize`,
  legacyStateVerification: true, // the other one wants a browser's cookie
  logLevel: LogLevel.ERROR,
  stateSecret: 'only for tests',
  installationStore: {
    storeInstallation: async (installation) => { kept.installation = installation; },
    fetchInstallation: async () => kept.installation,
  },
});
const slackSays = (token) => new WebClient(token, { ...clientOptions, logLevel: LogLevel.ERROR });
/** What the library makes of a call: its answer, or its error. */
const understood = async (call) => {
  try {
    const { response_metadata, ...answer } = await call;
    return answer;
  } catch ({ code, data, retryAfter }) {
    return { code, error: data?.error, retryAfter };
  }
};

// As the handler of a redirect URI does it, for a browser that comes back.
const install = async () => {
  const redirectUri = 'https://app.example/slack/oauth_redirect';
  const scopes = { scopes: ['chat:write', 'commands'], userScopes: ['search:read'], redirectUri };
  const url = await installer.generateInstallUrl(scopes);
  const back = (await fetch(url, { redirect: 'manual' })).headers.get('location');
  return new Promise((success, failure) => {
    installer.handleCallback({ url: back, headers: {} }, { setHeader() {} }, { success, failure: (error) => failure(error) });
  });
};

const told = {};
const installation = await install();
told.installation = JSON.parse(JSON.stringify(installation));
const query = { teamId: installation.team.id, userId: installation.user.id, isEnterpriseInstall: false };
told.authorized = await installer.authorize(query); // refreshes what has two hours or less to live
told.refreshed = JSON.parse(JSON.stringify(kept.installation));

const access = (refresh_token) =>
  slackSays().oauth.v2.access({
    client_id: clientId, client_secret: clientSecret, grant_type: 'refresh_token', refresh_token,
  });
told.usedAgain = await understood(access(told.installation.bot.refreshToken));
const { botToken, userToken } = told.authorized;
told.test = await understood(slackSays(botToken).auth.test());
told.posted = await understood(slackSays(botToken).chat.postMessage({ channel: 'C0GENERAL', text: 'hello' }));
const fault = { endpoint: 'api', fault: { 'too-many-requests': { 'retry-after': 30 } } };
const headers = { 'content-type': 'application/json' };
await fetch(`${slack}/fault`, { method: 'POST', headers, body: JSON.stringify(fault) });
told.tooMuch = await understood(slackSays(botToken).conversations.list());
told.tried = await understood(slackSays(userToken).auth.revoke({ test: true }));
told.revoked = await understood(slackSays(userToken).auth.revoke());
told.afterRevocation = await understood(slackSays(userToken).auth.test());
const uninstall = (client_id) =>
  slackSays(botToken).apps.uninstall({ client_id, client_secret: clientSecret });
told.uninstalledByAnother = await understood(uninstall('other'));
told.uninstalled = await understood(uninstall(clientId));
told.afterUninstall = await understood(slackSays(botToken).auth.test());
told.unknown = await understood(slackSays('xoxb-guessed').auth.test());
console.log(JSON.stringify(told));
