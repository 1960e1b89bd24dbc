// connect() against a fake dialog. A real browser, with a real host, is in the host's own tests.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { gzipSync } from "node:zlib";

import { connect } from "../jackfield-connect.js";
import { FakePage, HOST, LINK, fakePage, followed, pass } from "./fake-page.js";

const SLACK = { id: "7", name: "Analytical Engines", provider: { id: "slack", name: "Slack" } };

/** A pop-up that shows the host's page. */
async function opened(options = {}) {
  const page = fakePage();
  const end = followed(connect({ url: LINK, ...options }));
  await pass(0);
  return { page, end };
}

test("the script has at most four kibibytes compressed, and names no other", () => {
  const source = readFileSync(new URL("../jackfield-connect.js", import.meta.url));
  assert.ok(gzipSync(source, { level: 9 }).length <= 4096);
  assert.doesNotMatch(String(source), /\bimport\b/);
  const manifest = JSON.parse(readFileSync(new URL("../package.json", import.meta.url)));
  assert.equal(manifest.dependencies, undefined);
});

test("an account that is connected is the answer, and the window closes", async () => {
  const { page, end } = await opened();
  assert.equal(page.popup.shown, LINK);
  assert.match(page.features, /^popup,width=600,height=700,left=300,top=100$/);
  page.hear({ status: "ready" });
  page.hear({ status: "started" });
  page.hear({ status: "connected", integration: SLACK });
  await pass(0);
  assert.deepEqual(end, { is: "connected", value: SLACK });
  assert.ok(page.popup.closed);
});

test("the window opens before the link is known, so that a click allows it", async () => {
  const page = fakePage();
  let answer;
  const end = followed(connect({ url: () => new Promise((resolve) => (answer = resolve)) }));
  await pass(1000);
  assert.equal(page.popup.shown, "about:blank");
  answer(LINK);
  await pass(0);
  assert.equal(page.popup.shown, LINK);
  assert.equal(end.is, "pending");
});

test("an error of the page's own server closes the window and is passed on", async () => {
  const page = fakePage();
  const end = followed(connect({ url: () => Promise.reject(new Error("our server is down")) }));
  await pass(0);
  assert.equal(end.is, "our server is down");
  assert.ok(page.popup.closed);
});

test("a link that is none of a session opens nothing", async () => {
  for (const url of ["", undefined, null, "nonsense", "javascript:alert(1)//connect/", "data:text/html,/connect/", "https://a.example/"]) {
    const page = fakePage();
    const end = followed(connect({ url }));
    await pass(0);
    assert.equal(end.is, "failed", String(url));
    assert.equal(page.popup.shown, "about:blank");
    assert.ok(page.popup.closed);
  }
});

test("a blocked window is `blocked`", async () => {
  const page = fakePage();
  page.isBlocking = true;
  await assert.rejects(connect({ url: LINK }), { name: "ConnectError", code: "blocked" });
  assert.deepEqual(page.asked, []);
});

test("what the dialog says is the error, and a code that nobody knows is `failed`", async () => {
  const cases = [
    [{ status: "failed", code: "denied", detail: "Access was denied." }, "denied", "Access was denied."],
    [{ status: "failed", code: "expired" }, "expired", "The link has expired. Make a new one."],
    [{ status: "failed", code: "toString" }, "failed", "The account was not connected."],
    [{ status: "failed" }, "failed", "The account was not connected."],
    [{ status: "closed" }, "closed", "The window was closed before an account was connected."],
  ];
  for (const [said, code, words] of cases) {
    const { page, end } = await opened();
    page.hear(said);
    await pass(0);
    assert.equal(end.is, code);
    assert.equal(end.error.message, words);
    assert.equal(end.error.name, "ConnectError");
    assert.ok(page.popup.closed);
  }
});

test("nobody but the window at the host's origin is believed", async () => {
  const { page, end } = await opened();
  const forged = { status: "connected", integration: { ...SLACK, id: "666" } };
  page.hear(forged, { origin: "https://evil.example" });
  page.hear(forged, { origin: "null" });
  page.hear(forged, { origin: `${HOST}.evil.example` });
  page.hear(forged, { origin: "http://jackfield.example" });
  page.hear(forged, { source: page });
  page.hear(forged, { source: null });
  page.hear({ ...forged, type: "another" });
  page.dispatchEvent(Object.assign(new Event("message"), { origin: HOST, source: page.popup, data: null }));
  page.hear({ status: "ready" });
  page.hear({ ...forged, session: "2" });
  await pass(0);
  assert.equal(end.is, "pending");
});

test("the nonce goes to the host's origin alone, and only when its page asks", async () => {
  const { page } = await opened({ nonce: "nonce-1" });
  page.hear({ status: "ready" }, { origin: "https://evil.example" });
  assert.deepEqual(page.popup.posted, []);
  page.hear({ status: "ready" });
  assert.deepEqual(page.popup.posted, [{ data: { type: "jackfield-connect-nonce", nonce: "nonce-1" }, origin: HOST }]);
});

test("without a nonce nothing is posted", async () => {
  let count = 0;
  const { page } = await opened({ onReady: () => (count += 1) });
  page.hear({ status: "ready" });
  assert.deepEqual([page.popup.posted, count], [[], 1]);
});

test("a window that is closed at the host's page is `closed` at once", async () => {
  const { page, end } = await opened();
  page.hear({ status: "ready" });
  await pass(2000);
  page.popup.closed = true;
  await pass(500);
  assert.equal(end.is, "closed");
});

test("a window that closes as the account is connected is asked for first", async () => {
  const { page, end } = await opened();
  page.hear({ status: "ready" });
  page.status = { session: "1", status: "connected", integration: SLACK };
  page.popup.closed = true;
  await pass(500);
  assert.deepEqual(end, { is: "connected", value: SLACK });
});

test("where a service has cut the windows apart, the host is asked until the end", async () => {
  const { page, end } = await opened();
  page.hear({ status: "ready" });
  page.hear({ status: "started" });
  page.popup.closed = true;
  await pass(60_000);
  assert.equal(end.is, "pending");
  page.status = { session: "1", status: "connected", integration: SLACK };
  await pass(2500);
  assert.deepEqual(end, { is: "connected", value: SLACK });
  const { url, options } = page.asked[0];
  assert.equal(url, `${LINK}status/`);
  assert.equal(options.credentials, "omit");
  assert.ok(page.asked.length < 40, "it is asked each two seconds");
});

test("where this page has cut itself from the window, the host is asked as well", async () => {
  const { page, end } = await opened();
  page.popup.closed = true;
  await pass(20_000);
  assert.equal(end.is, "pending");
  page.status = { session: "1", status: "open", failure: { code: "denied", detail: "No." } };
  await pass(2500);
  assert.deepEqual([end.is, end.error.message], ["denied", "No."]);
});

test("a window that is out of sight is `closed` when somebody is back at this page", async () => {
  const { page, end } = await opened();
  page.hear({ status: "ready" });
  page.hear({ status: "started" });
  page.popup.closed = true;
  page.dispatchEvent(new Event("focus"));
  await pass(3000);
  page.dispatchEvent(new Event("blur"));
  await pass(10_000);
  assert.equal(end.is, "pending");
  page.dispatchEvent(new Event("focus"));
  await pass(6000);
  assert.equal(end.is, "closed");
});

test("the failure of an earlier attempt is not that of this one", async () => {
  const page = fakePage();
  const denied = { session: "1", status: "open", failure: { code: "denied", detail: "No." } };
  page.status = denied;
  const end = followed(connect({ url: LINK }));
  await pass(5000);
  assert.equal(end.is, "pending");
  page.status = { ...denied, failure: null };
  await pass(2500);
  page.status = denied;
  await pass(2500);
  assert.equal(end.is, "denied");
});

test("a session that ends meanwhile says how", async () => {
  for (const [status, code] of [["expired", "expired"], ["ended", "closed"]]) {
    const { page, end } = await opened();
    page.status = { session: "1", status, failure: null };
    await pass(2500);
    assert.equal(end.is, code);
  }
});

test("a host that cannot be asked, behind a window that cannot be seen, is not waited for", async () => {
  const { page, end } = await opened();
  page.status = null;
  page.hear({ status: "started" });
  await pass(30_000);
  assert.equal(end.is, "pending", "the window is there");
  page.popup.closed = true;
  await pass(12_000);
  assert.equal(end.is, "closed");
});

test("an abort closes the window", async () => {
  const stop = new AbortController();
  const { page, end } = await opened({ signal: stop.signal });
  stop.abort();
  await pass(0);
  assert.equal(end.is, "closed");
  assert.ok(page.popup.closed);
  const early = followed(connect({ url: LINK, signal: AbortSignal.abort() }));
  await pass(0);
  assert.equal(early.is, "closed");
});

test("after the end the page listens no more and asks no more", async () => {
  const { page } = await opened();
  page.hear({ status: "connected", integration: SLACK });
  await pass(0);
  const asked = page.asked.length;
  page.hear({ status: "failed", code: "denied" });
  page.dispatchEvent(new Event("focus"));
  await pass(10_000);
  assert.equal(page.asked.length, asked);
});

test("a server that draws the page can load the script", async () => {
  assert.equal(globalThis.customElements, undefined);
  assert.ok(FakePage);
  assert.equal(typeof (await import("../jackfield-connect.js")).connect, "function");
});
