// A page and the window that it opens, without a browser: what connect() sees of them.

import { mock } from "node:test";

export const LINK = "https://jackfield.example/connect/jfc_secret/";
export const HOST = "https://jackfield.example";

class FakePopup {
  closed = false;
  posted = [];
  shown = "about:blank";
  location = { replace: (url) => (this.shown = String(url)) };

  close() {
    this.closed = true;
  }

  postMessage(data, origin) {
    this.posted.push({ data, origin });
  }
}

export class FakePage extends EventTarget {
  screenX = 0;
  screenY = 0;
  outerWidth = 1200;
  outerHeight = 900;
  popup = new FakePopup();
  /** What the host says of the session; null: it cannot be asked. */
  status = { session: "1", status: "open", failure: null };
  asked = [];
  isBlocking = false;

  open(url, name, features) {
    this.features = features;
    return this.isBlocking ? null : this.popup;
  }

  /** A message as the browser delivers it. */
  hear(data, { origin = HOST, source = this.popup } = {}) {
    const event = new Event("message");
    this.dispatchEvent(Object.assign(event, { origin, source, data: { type: "jackfield-connect", session: "1", ...data } }));
  }

  fetch(url, options) {
    this.asked.push({ url: String(url), options });
    if (this.status === null) {
      return Promise.reject(new TypeError("not allowed"));
    }
    return Promise.resolve({ ok: true, json: () => Promise.resolve(structuredClone(this.status)) });
  }
}

/** Puts a page in the place of the browser's, with a clock that stands still. */
export function fakePage() {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_000_000 });
  const page = new FakePage();
  globalThis.window = page;
  globalThis.fetch = (url, options) => page.fetch(url, options);
  return page;
}

/** Lets time pass, in small steps. */
export async function pass(milliseconds) {
  for (let passed = 0; passed < milliseconds; passed += 100) {
    await new Promise((resolve) => setImmediate(resolve));
    mock.timers.tick(100);
  }
  await new Promise((resolve) => setImmediate(resolve));
}

/** What has come of a promise so far. */
export function followed(promise) {
  const end = { is: "pending" };
  promise.then(
    (value) => Object.assign(end, { is: "connected", value }),
    (error) => Object.assign(end, { is: error.code ?? error.message, error }),
  );
  return end;
}
