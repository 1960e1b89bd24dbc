// Verifies what a host has delivered, with the libraries of Standard Webhooks and of Svix, and
// signatures v1a with Node's own Ed25519. One request of {secret, publicKey, headers, body}.

import { createPublicKey, verify } from "node:crypto";
import { Webhook as Standard } from "standardwebhooks";
import { Webhook as Svix } from "svix";

const { secret, publicKey, headers, body } = JSON.parse(process.argv[2]);

function verifies(check) {
  try {
    return check() !== false;
  } catch {
    return false;
  }
}

// RFC 8410 section 4: what stands before the 32 bytes of an Ed25519 key.
const SPKI = Buffer.from("302a300506032b6570032100", "hex");

function asymmetric() {
  const raw = Buffer.from(publicKey.replace(/^whpk_/, ""), "base64");
  const key = createPublicKey({ key: Buffer.concat([SPKI, raw]), format: "der", type: "spki" });
  const signed = Buffer.from(`${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`);
  const signatures = headers["webhook-signature"].split(" ").filter((one) => one.startsWith("v1a,"));
  return signatures.some((one) => verify(null, signed, key, Buffer.from(one.slice(4), "base64")));
}

console.log(JSON.stringify({
  standardwebhooks: verifies(() => new Standard(secret).verify(body, headers)),
  svix: verifies(() => new Svix(secret).verify(body, headers)),
  ed25519: verifies(asymmetric),
}));
