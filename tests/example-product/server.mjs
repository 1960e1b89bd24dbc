// The server of a shop whose customers connect their accounts through Jackfield. No dependency: `node server.mjs`.

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";

const { JACKFIELD_URL, JACKFIELD_ORGANIZATION, JACKFIELD_TOKEN, PORT = "3000" } = process.env;
const origin = `http://localhost:${PORT}`;

/** A call of Jackfield's API. The token stays on this server. */
async function jackfield(path, body) {
  const answer = await fetch(`${JACKFIELD_URL}/api/0/organizations/${JACKFIELD_ORGANIZATION}/${path}`, {
    method: body === undefined ? "GET" : "POST",
    headers: { authorization: `Bearer ${JACKFIELD_TOKEN}`, "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!answer.ok) {
    throw new Error(`Jackfield answers ${answer.status}: ${await answer.text()}`);
  }
  return answer.json();
}

/** Who is logged in here. Your own log-in says that; the browser never does. */
const customer = () => ({ id: "customer-7", name: "Ada Lovelace" });

/** A link for one customer, for one use. */
const link = () =>
  jackfield("connect-sessions/", { subject: customer(), tags: { plan: "pro" }, origin, returnUrl: `${origin}/` });

/** What Jackfield has told this server. A real one keeps it in its database, with the id of the last event. */
const told = [];

async function listen(after = "") {
  for (;;) {
    try {
      for (const { id, type, data } of await jackfield(`events/?wait=30${after}`)) {
        told.push({ type, integration: data.integration, subject: data.subject?.id });
        after = `&after=${id}`;
      }
    } catch (error) {
      console.error(error.message);
      await new Promise((resolve) => setTimeout(resolve, 5000));
    }
  }
}

const json = (value) => ["application/json", JSON.stringify(value)];
const routes = {
  "GET /": async () => ["text/html", (await readFile(new URL("index.html", import.meta.url), "utf8")).replaceAll("{{jackfield}}", JACKFIELD_URL)],
  "POST /links": async () => json(await link()),
  "GET /told": async () => json(told),
};

createServer(async (request, response) => {
  const route = routes[`${request.method} ${new URL(request.url, origin).pathname}`];
  // Only pages of this shop make links: another site cannot have a browser do it.
  const isForeign = request.method === "POST" && request.headers.origin !== origin;
  try {
    const [type, text] = route && !isForeign ? await route() : ["text/plain", "not found"];
    response.writeHead(route && !isForeign ? 200 : 404, { "content-type": `${type}; charset=utf-8` }).end(text);
  } catch (error) {
    response.writeHead(502, { "content-type": "text/plain; charset=utf-8" }).end(error.message);
  }
}).listen(Number(PORT), "localhost", () => console.log(`the shop is open at ${origin}/`));
listen();
