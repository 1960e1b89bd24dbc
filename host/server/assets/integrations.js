// Opens a provider's set-up in a pop-up, hears its answer, and shows what became of it without a reload. Without this script the same
// links are a full-page set-up.

const notices = document.getElementById("notices");
const menu = document.getElementById("add-menu");

/** Shows one notice. It stays until it is dismissed or the next one comes. */
function notice(kind, text, action) {
  const box = document.createElement("div");
  box.className = `notice ${kind}`;
  box.setAttribute("role", kind === "error" ? "alert" : "status");
  const words = document.createElement("p");
  words.textContent = text;
  box.append(words);
  if (action !== undefined) {
    box.append(button(action.label, "", action.run));
  }
  box.append(button("✕", "plain", () => notices.replaceChildren(), "Dismiss"));
  notices.replaceChildren(box);
  return box;
}

function button(text, className, run, label) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = text;
  made.className = className;
  if (label !== undefined) {
    made.setAttribute("aria-label", label);
  }
  made.addEventListener("click", run);
  return made;
}

/** The answer's own words, with the one code that everybody meets put into ours. */
function inWords(detail) {
  return detail === "access_denied" ? "the request was declined there (access_denied)." : (detail ?? "the set-up did not finish.");
}

function randomName() {
  const bytes = crypto.getRandomValues(new Uint8Array(24));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function centred(width, height) {
  const left = Math.max(0, Math.round(window.screenX + (window.outerWidth - width) / 2));
  const top = Math.max(0, Math.round(window.screenY + (window.outerHeight - height) / 2));
  return `popup,width=${width},height=${height},left=${left},top=${top}`;
}

/** Takes the list as the server draws it now, so that a new row stands in its place by name. */
async function refresh(id) {
  const here = document.getElementById("installed");
  if (here === null) {
    window.location.reload();
    return;
  }
  const answer = await fetch(window.location.href, { headers: { accept: "text/html" } });
  if (!answer.ok) {
    return;
  }
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.getElementById("installed");
  if (fresh !== null) {
    here.replaceWith(fresh);
    document.getElementById(`integration-${id}`)?.classList.add("new");
  }
}

/** What the host has left to say about a failure, for the person and for whoever helps them. */
async function leftToSay() {
  const answer = await fetch(window.location.href, { headers: { accept: "text/html" } });
  const page = new DOMParser().parseFromString(answer.ok ? await answer.text() : "", "text/html");
  const left = page.querySelector("#notices .notice.error p");
  return left === null ? "" : ` ${left.textContent}`;
}

/** Opens a set-up; false when the browser blocked the pop-up. */
function open(link) {
  const { setup, width, height } = link.dataset;
  const name = randomName();
  const url = new URL(setup, window.location.href);
  url.searchParams.set("channel", name);
  const popup = window.open(url, "_blank", centred(Number(width), Number(height)));
  if (popup === null) {
    return false;
  }
  const channel = new BroadcastChannel(name);
  const stop = new AbortController();

  const finish = async (answer) => {
    if (typeof answer?.success !== "boolean") {
      return;
    }
    stop.abort();
    channel.close();
    window.focus();
    if (answer.success) {
      await refresh(answer.data?.id);
      notice("success", `${answer.data?.name ?? "The integration"} is connected.`);
    } else {
      const more = await leftToSay().catch(() => "");
      notice("error", `${link.dataset.name} was not connected: ${inWords(answer.data?.detail)}${more}`);
    }
  };

  window.addEventListener(
    "message",
    (event) => {
      // Only the pop-up itself, and only while it shows our own pages.
      if (event.origin === window.location.origin && event.source === popup) {
        finish(event.data);
      }
    },
    { signal: stop.signal },
  );
  channel.addEventListener("message", (event) => finish(event.data), { signal: stop.signal });

  // A provider's page may cut the tie between the windows, and then this looks the same as closing: so the channel stays open.
  const watch = setInterval(() => {
    if (stop.signal.aborted) {
      clearInterval(watch);
    } else if (popup.closed) {
      clearInterval(watch);
      notice("", "The set-up window is closed or out of reach. If you closed it, nothing was added.", {
        label: "Try again",
        run: () => start(link),
      });
    }
  }, 300);
  return true;
}

/** In a pop-up, or where that is blocked as a full page. */
function start(link) {
  if (!open(link)) {
    window.location.assign(link.href);
  }
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-setup]");
  if (link === null || event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) {
    return;
  }
  event.preventDefault();
  menu?.hidePopover();
  start(link);
});

const filter = document.getElementById("filter");
filter?.addEventListener("input", () => {
  const wanted = filter.value.trim().toLowerCase();
  let shown = 0;
  for (const item of menu.querySelectorAll(".menu li")) {
    item.hidden = !item.textContent.toLowerCase().includes(wanted);
    shown += item.hidden ? 0 : 1;
  }
  document.getElementById("no-match").hidden = shown > 0;
});

// Arrow keys walk through the menu, as people expect of one; Tab does too.
menu?.addEventListener("keydown", (event) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step === undefined) {
    return;
  }
  const links = [...menu.querySelectorAll(".menu li:not([hidden]) a")];
  const next = links[links.indexOf(document.activeElement) + step] ?? (step === 1 ? links[0] : filter);
  event.preventDefault();
  next?.focus();
});
