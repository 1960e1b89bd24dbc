// Signs calls with the vendors' own libraries, and has those that only verify say whether a signature is theirs. Reads JSON from its one
// argument, {secret, calls: {vendor: body}, now}, and prints the headers of each vendor's call as one JSON object.
import { createHmac } from 'node:crypto';
import { LinearWebhookClient } from '@linear/sdk/webhooks';
import { sign } from '@octokit/webhooks-methods';
import '@shopify/shopify-api/adapters/node';
import { createSHA256HMAC, HashFormat } from '@shopify/shopify-api/runtime';
import bolt from '@slack/bolt';
import { Webhook } from 'standardwebhooks';
import Stripe from 'stripe';

const { secret, now, calls } = JSON.parse(process.argv[2]);
const hex = (text) => createHmac('sha256', secret).update(text).digest('hex');
const stripe = new Stripe('sk_test_only');

const signers = {
  github: async (payload) => ({ 'x-hub-signature-256': await sign(secret, payload), 'x-github-delivery': 'of-octokit' }),
  stripe: async (payload) => ({
    'stripe-signature': stripe.webhooks.generateTestHeaderString({ payload, secret, timestamp: now }),
  }),
  shopify: async (payload) => ({
    'x-shopify-hmac-sha256': await createSHA256HMAC(secret, payload, HashFormat.Base64),
    'x-shopify-webhook-id': 'of-shopify',
  }),
  standard: async (payload) => ({
    'webhook-id': 'of-standard',
    'webhook-timestamp': String(now),
    'webhook-signature': new Webhook(Buffer.from(secret).toString('base64')).sign('of-standard', new Date(now * 1000), payload),
  }),
  // Slack's and Linear's libraries verify, and do not sign: they say whether what is sent here is signed as they want it.
  slack: async (body) => {
    const headers = { 'x-slack-request-timestamp': String(now), 'x-slack-signature': `v0=${hex(`v0:${now}:${body}`)}` };
    bolt.verifySlackRequest({ signingSecret: secret, body, headers });
    return headers;
  },
  linear: async (body) => {
    const signature = hex(body);
    if (!new LinearWebhookClient(secret).verify(Buffer.from(body), signature, JSON.parse(body).webhookTimestamp)) throw new Error('Linear');
    return { 'linear-signature': signature, 'linear-delivery': 'of-linear' };
  },
};

const signed = {};
for (const [vendor, body] of Object.entries(calls)) signed[vendor] = await signers[vendor](body);
console.log(JSON.stringify(signed));
