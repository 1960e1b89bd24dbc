// Lets a page of yours connect an account through Jackfield: one function, one element, no dependency.
//
// The page hears of the end in one of two ways. The last page of the host posts a message, to exactly the origin of the session.
// If a service has cut the windows apart (Cross-Origin-Opener-Policy), or the host's pages stand in a window that this page cannot
// see, this page asks the host for the status of the session.

const TYPE = "jackfield-connect";
const WORDS = {
  closed: "The window was closed before an account was connected.",
  blocked: "The browser has blocked the window. Call connect() in the handler of a click.",
  denied: "Access was denied at the service.",
  expired: "The link has expired. Make a new one.",
  failed: "The account was not connected.",
};
/** Milliseconds between two looks at the window, and between two questions to the host. */
const LOOK = 400;
const ASK = 2000;
/** How long somebody is back at this page before a window that is out of sight counts as closed. */
const BACK = 5000;
/** Questions in a row that may fail when the window is out of sight. */
const FAILURES = 5;

function failure(code, detail) {
  const known = Object.hasOwn(WORDS, code) ? code : "failed";
  return Object.assign(new Error(detail || WORDS[known]), { name: "ConnectError", code: known });
}

const textOf = (url) => (typeof url === "function" ? url() : url);

/** The link of a session, whose token stays out of errors. */
function linkOf(text) {
  let link;
  try {
    link = new URL(text);
  } catch {
    // Said below.
  }
  if (!/^https?:$/.test(link?.protocol) || !link.pathname.includes("/connect/")) {
    throw failure("failed", "url is that of a connect session, as your server gets it from Jackfield.");
  }
  return link;
}

/**
 * Listens for one session until `stop` aborts. `source` is the window that shows the host's pages; nobody else is believed.
 * Pinned to the session that is named first: a service cannot lead the window to another.
 */
function listen(link, source, nonce, stop, heard) {
  let session;
  window.addEventListener(
    "message",
    ({ origin, source: from, data }) => {
      if (origin !== link.origin || from !== source() || data?.type !== TYPE || data.session !== (session ??= data.session)) {
        return;
      }
      if (data.status === "ready" && nonce) {
        from.postMessage({ type: `${TYPE}-nonce`, nonce }, link.origin);
      }
      heard(data);
    },
    { signal: stop },
  );
}

/** What the host says of the session; undefined if it cannot be asked. */
async function status(link, stop) {
  try {
    const url = new URL("status/", link);
    const answer = await fetch(url, { credentials: "omit", cache: "no-store", referrerPolicy: "no-referrer", signal: stop });
    return answer.ok ? await answer.json() : undefined;
  } catch {
    return undefined;
  }
}

/** What a status means: an integration, an error, or undefined while it is open. `before` is the failure of an earlier attempt. */
function endOf(found, before) {
  const { status, integration, failure: why } = found ?? {};
  if (status === "connected") {
    return { integration };
  }
  if (status === "expired" || status === "ended") {
    return { error: failure(status === "ended" ? "closed" : status) };
  }
  return why && JSON.stringify(why) !== before ? { error: failure(why.code, why.detail) } : undefined;
}

/** Asks the host until the session has an end, or the window is certainly closed. */
async function ask(link, popup, isUnsure, stop, end) {
  let [before, failures, asked, back] = [undefined, 0, -ASK, 0];
  const here = ({ type }) => (back = type === "blur" ? 0 : back || Date.now());
  for (const type of ["focus", "blur", "pointerdown", "keydown"]) {
    window.addEventListener(type, here, { signal: stop });
  }
  while (!stop.aborted) {
    // Seen before the question: what the window has done until then is in the answer.
    const isGone = popup.closed;
    if (Date.now() - asked >= ASK || (isGone && !isUnsure())) {
      const found = await status(link, stop);
      asked = Date.now();
      failures = found ? 0 : failures + 1;
      if (found && (before === undefined || !found.failure)) {
        before = JSON.stringify(found.failure ?? null);
      }
      const ended = endOf(found, before);
      if (ended) {
        return end(ended);
      }
    }
    const isBack = back > 0 && Date.now() - back > BACK;
    if (isGone && (!isUnsure() || isBack || failures >= FAILURES)) {
      return end({ error: failure("closed") });
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK));
  }
}

function open(width, height) {
  const left = Math.max(0, Math.round(window.screenX + (window.outerWidth - width) / 2));
  const top = Math.max(0, Math.round(window.screenY + (window.outerHeight - height) / 2));
  return window.open("about:blank", "_blank", `popup,width=${width},height=${height},left=${left},top=${top}`);
}

/**
 * Connects an account in a pop-up. See jackfield-connect.d.ts.
 */
export async function connect({ url, nonce, signal, onReady, width = 600, height = 700 }) {
  // Before anything is awaited: a browser lets only a click open a window.
  const popup = open(width, height);
  if (popup === null) {
    throw failure("blocked");
  }
  const over = new AbortController();
  try {
    const link = linkOf(await textOf(url));
    return await new Promise((resolve, reject) => {
      const end = ({ integration, error }) => (error ? reject(error) : resolve(integration));
      const abort = () => end({ error: failure("closed") });
      signal?.addEventListener("abort", abort, { signal: over.signal });
      if (signal?.aborted) {
        return abort();
      }
      // A window that has shown the host's own page and no service's is not out of sight, but closed.
      let isUnsure = true;
      listen(link, () => popup, nonce, over.signal, ({ status, integration, code, detail }) => {
        isUnsure = status !== "ready";
        if (status === "ready") {
          onReady?.();
        } else if (status === "connected") {
          end({ integration });
        } else if (status === "failed" || status === "closed") {
          end({ error: failure(status === "closed" ? status : code, detail) });
        }
      });
      popup.location.replace(link);
      ask(link, popup, () => isUnsure, over.signal, end);
    });
  } finally {
    over.abort();
    popup.close();
  }
}

/** `<jackfield-connect>`: a button that opens a pop-up, or with `inline` a frame. Not where there is no page, as on a server. */
const Base = globalThis.HTMLElement ?? Object;

class JackfieldConnect extends Base {
  #stop;
  #isOpen = false;
  #url;
  #nonce;

  static observedAttributes = ["url", "inline"];

  /** The link of the session; also a promise of it, or a function that returns either. */
  get url() {
    return this.#url ?? this.getAttribute("url");
  }

  set url(url) {
    this.#url = url;
    this.#show();
  }

  /** The nonce of your page, for the proof `page`. `nonce` itself is the Content-Security-Policy's. */
  get pageNonce() {
    return this.#nonce ?? this.getAttribute("page-nonce");
  }

  set pageNonce(nonce) {
    this.#nonce = nonce;
  }

  connectedCallback() {
    for (const name of ["url", "pageNonce"]) {
      // Set before this script was there.
      if (Object.hasOwn(this, name)) {
        const value = this[name];
        delete this[name];
        this[name] = value;
      }
    }
    this.#show();
  }

  disconnectedCallback() {
    this.#stop?.abort();
  }

  attributeChangedCallback(name, before, now) {
    if (before !== now) {
      this.#show();
    }
  }

  #show() {
    if (!this.isConnected) {
      return;
    }
    const root = this.shadowRoot ?? this.attachShadow({ mode: "open", delegatesFocus: true });
    // A button reads the link when it is clicked; a dialog that is open stays.
    if (!this.hasAttribute("inline") && root.querySelector("button") && !this.#stop.signal.aborted) {
      return;
    }
    this.#stop?.abort();
    this.#stop = new AbortController();
    const stop = this.#stop.signal;
    root.replaceChildren();
    if (this.hasAttribute("inline")) {
      this.#frame(root, stop);
      return;
    }
    const button = Object.assign(document.createElement("button"), { type: "button", part: "button" });
    button.append(Object.assign(document.createElement("slot"), { textContent: "Connect" }));
    button.addEventListener("click", () => this.#popup(stop));
    root.append(button);
  }

  async #popup(signal) {
    if (this.#isOpen || !this.url) {
      return;
    }
    this.#isOpen = true;
    try {
      const onReady = () => this.#tell("ready");
      this.#tell("connected", await connect({ url: this.url, nonce: this.pageNonce, signal, onReady }));
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#isOpen = false;
    }
  }

  async #frame(root, stop) {
    try {
      const text = await textOf(this.url);
      if (!text || stop.aborted) {
        return;
      }
      const link = linkOf(text);
      const frame = document.createElement("iframe");
      Object.assign(frame, { part: "frame", title: this.getAttribute("label") ?? "Connect an account" });
      Object.assign(frame.style, { border: "0", width: "100%", height: "100%", minHeight: "30rem" });
      let isReady = false;
      listen(link, () => frame.contentWindow, this.pageNonce, stop, ({ status, integration, code, detail }) => {
        isReady = true;
        if (status === "ready") {
          this.#tell("ready");
        } else if (status === "connected") {
          this.#tell("connected", integration);
        } else if (status === "failed" || status === "closed") {
          this.#fail(failure(status === "closed" ? status : code, detail));
        }
      });
      // A page that says nothing is one that may not be framed here, or the end of a session.
      const check = async () => {
        const { integration, error } = endOf(await status(link, stop)) ?? {
          error: failure("failed", "The host's page cannot be framed here: is this page's origin the session's `origin`?"),
        };
        if (!isReady && !stop.aborted) {
          integration ? this.#tell("connected", integration) : this.#fail(error);
        }
      };
      frame.addEventListener("load", () => setTimeout(() => isReady || stop.aborted || check(), ASK), { once: true });
      frame.src = link;
      root.append(frame);
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error) {
    this.#tell(error.code === "closed" ? "closed" : "failed", error);
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail, bubbles: true, composed: true }));
  }
}

if (globalThis.customElements && !customElements.get(TYPE)) {
  customElements.define(TYPE, JackfieldConnect);
}
