// Slack's own library on Express, as its documentation shows it: what `cargo peers` puts beside the host. Prints where it listens. Its one
// argument is JSON: {slack, authorizationUrl, clientId, clientSecret, folder}.
//
// The library leaves it to the app where installations are kept. Here each is a file of its own that is on the disk before the person is told
// so: the least that is durable.
import { open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { InstallProvider, LogLevel } from '@slack/oauth';
import express from 'express';

const { slack, authorizationUrl, clientId, clientSecret, folder } = JSON.parse(process.argv[2]);
const fileOf = (isEnterpriseInstall, enterpriseId, teamId) => join(folder, isEnterpriseInstall ? enterpriseId : teamId);
const installationStore = {
  storeInstallation: async (installation) => {
    const { isEnterpriseInstall, enterprise, team } = installation;
    const file = await open(fileOf(isEnterpriseInstall, enterprise?.id, team?.id), 'w');
    await file.writeFile(JSON.stringify(installation));
    await file.datasync();
    await file.close();
  },
  fetchInstallation: async ({ isEnterpriseInstall, enterpriseId, teamId }) =>
    JSON.parse(await readFile(fileOf(isEnterpriseInstall, enterpriseId, teamId), 'utf8')),
  deleteInstallation: ({ isEnterpriseInstall, enterpriseId, teamId }) => rm(fileOf(isEnterpriseInstall, enterpriseId, teamId)),
};
const installer = new InstallProvider({
  clientId,
  clientSecret,
  clientOptions: { slackApiUrl: `${slack}/api/` },
  authVersion: 'v2',
  authorizationUrl,
  directInstall: true, // a redirect to Slack, without a page with a button
  logLevel: LogLevel.ERROR,
  stateSecret: 'only for benchmarks',
  installationStore,
});

const app = express();
let address;
app.get('/slack/install', (req, res) =>
  installer.handleInstallPath(req, res, {}, {
    scopes: ['chat:write', 'commands', 'team:read'],
    redirectUri: `${address}/slack/oauth_redirect`,
  }));
app.get('/slack/oauth_redirect', (req, res) =>
  installer.handleCallback(req, res, {
    success: (_installation, _options, _request, response) => response.end('installed'),
    failure: (error, _options, _request, response) => response.writeHead(500).end(String(error)),
  }));
const server = app.listen(0, '127.0.0.1', () => {
  address = `http://127.0.0.1:${server.address().port}`;
  console.log(address);
});
