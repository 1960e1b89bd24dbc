// The hosted page of a connect session. In a frame it opens a window for the dialog, since browsers keep the cookies of frames
// back and services refuse to be framed, and hands on what comes of it. Messages go to exactly the session's origin, and only
// those from there, or from this host, are read.

const page = document.getElementById("connect");
const notices = document.getElementById("notices");
const { session, origin, prove } = page.dataset;
const isFramed = window.parent !== window;
const program = isFramed ? window.parent : window.opener;
const forms = [...page.querySelectorAll("form")];

function tell(message) {
  if (origin !== "" && program) {
    program.postMessage({ type: "jackfield-connect", session, ...message }, origin);
  }
}

function say(kind, words) {
  const box = document.createElement("div");
  box.className = `notice ${kind}`;
  box.setAttribute("role", kind === "error" ? "alert" : "status");
  box.textContent = words;
  notices.replaceChildren(box);
}

/** The nonce of the program's page: whoever has it may go on. */
function takeNonce(nonce) {
  for (const input of page.querySelectorAll("input[name=nonce]")) {
    input.value = nonce;
  }
  for (const button of page.querySelectorAll("button[disabled]")) {
    button.disabled = false;
  }
  document.getElementById("waiting")?.remove();
}

let isOver = false;
let failed;

/** The end of a setup in the window: shown here, and handed on once. */
function end(message) {
  if (isOver) {
    return;
  }
  isOver = message.status === "connected";
  failed = message.status === "failed" ? message : undefined;
  tell(message);
  if (isOver) {
    say("success", `${message.integration?.name ?? "The account"} is connected.`);
    page.querySelector(".directory")?.remove();
  } else if (message.status === "failed") {
    say("error", message.detail ?? "Nothing was connected. You can try again.");
  }
}

window.addEventListener("message", ({ origin: from, source, data }) => {
  if (from === origin && source === program && data?.type === "jackfield-connect-nonce" && prove === "page") {
    takeNonce(String(data.nonce));
  } else if (isFramed && from === window.location.origin && data?.type === "jackfield-connect" && data.session === session) {
    end(data);
  }
});

/** The window may not be able to say anything: a service can cut it off from this page. */
async function look() {
  const answer = await fetch(`${window.location.pathname}status/`).catch(() => undefined);
  const found = answer?.ok ? await answer.json() : { status: "open" };
  if (found.status === "connected") {
    end({ status: "connected", integration: found.integration });
  } else if (found.status === "open" && !isOver) {
    if (found.failure && failed === undefined) {
      end({ status: "failed", ...found.failure });
    }
    setTimeout(look, 1500);
  } else if (!isOver) {
    tell({ status: "failed", code: "expired" });
    say("error", "This link cannot be used any more.");
  }
}

let isLooking = false;

function openWindow(event) {
  const { width = 600, height = 600 } = event.target.dataset;
  const left = Math.max(0, Math.round(window.screenX + (window.outerWidth - width) / 2));
  const top = Math.max(0, Math.round(window.screenY + (window.outerHeight - height) / 2));
  const opened = window.open("about:blank", "jackfield-connect", `popup,width=${width},height=${height},left=${left},top=${top}`);
  if (opened === null) {
    event.preventDefault();
    tell({ status: "failed", code: "blocked" });
    say("error", "The browser has blocked the window. Allow pop-ups of this page, and try again.");
    return;
  }
  event.target.target = "jackfield-connect";
  failed = undefined;
  if (!isLooking) {
    isLooking = true;
    look();
  }
}

for (const form of forms) {
  form.addEventListener("submit", (event) => {
    if (isFramed) {
      openWindow(event);
    }
    if (!event.defaultPrevented) {
      tell({ status: "started" });
    }
  });
}
tell({ status: "ready" });
