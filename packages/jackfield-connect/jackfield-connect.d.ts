/** What somebody has connected. It comes through the browser: ask your server, or wait for the event, before you rely on it. */
export interface Integration {
  /** Decimal text. */
  id: string;
  /** Of the account, such as the name of a Slack workspace. */
  name: string;
  provider: { id: string; name: string };
}

/**
 * Why no account was connected:
 * - `closed`: the window was closed, the person cancelled, or the session was ended
 * - `blocked`: the browser has blocked the pop-up
 * - `denied`: the person, or their administrator, has not allowed it at the service
 * - `expired`: the link has lived too long
 * - `failed`: anything else; `message` says what, in words for people
 *
 * After all but `expired` the same link can be opened again, unless your server has ended the session.
 */
export type ConnectErrorCode = "closed" | "blocked" | "denied" | "expired" | "failed";

export interface ConnectError extends Error {
  name: "ConnectError";
  code: ConnectErrorCode;
}

/** The `url` of a connect session, as Jackfield has given it to your server. */
export type ConnectUrl = string | URL | Promise<string | URL> | (() => string | URL | Promise<string | URL>);

export interface ConnectOptions {
  /** A function is called after the pop-up has opened: there your page can ask your server for a new session. */
  url: ConnectUrl;
  /** For the proof `page`: the nonce that your server gave to the session and to this page. */
  nonce?: string;
  /** Aborting closes the pop-up; the error is `closed`. */
  signal?: AbortSignal;
  /** The pop-up shows the host's page. */
  onReady?: () => void;
  /** Pixels; 600 and 700 if you say nothing. */
  width?: number;
  height?: number;
}

/**
 * Connects an account in a pop-up. Call it in the handler of a click, before you await anything. The page's origin has to be the
 * session's `origin`.
 *
 * Rejects with a {@link ConnectError}, or with what `url` throws.
 */
export function connect(options: ConnectOptions): Promise<Integration>;

/**
 * `<jackfield-connect url="…">Connect Slack</jackfield-connect>`: a button that opens a pop-up. With the attribute `inline` a frame
 * that shows the services; it opens a window for the rest. Attributes: `url`, `inline`, `page-nonce`, `label` (name of the frame
 * for screen readers). Parts for your style sheet: `button` and `frame`. The events bubble.
 */
export interface JackfieldConnectElement extends HTMLElement {
  url: ConnectUrl | null;
  /** For the proof `page`. */
  pageNonce: string | null;
  addEventListener<K extends keyof JackfieldConnectEvents>(
    type: K,
    listener: (this: JackfieldConnectElement, event: JackfieldConnectEvents[K]) => unknown,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject,
    options?: boolean | AddEventListenerOptions,
  ): void;
}

export interface JackfieldConnectEvents {
  /** The host's page is shown. */
  ready: CustomEvent<null>;
  connected: CustomEvent<Integration>;
  /** Not connected; somebody can try again. Not with the code `closed`. */
  failed: CustomEvent<ConnectError>;
  /** The code is `closed`. */
  closed: CustomEvent<ConnectError>;
}

declare global {
  interface HTMLElementTagNameMap {
    "jackfield-connect": JackfieldConnectElement;
  }
}
