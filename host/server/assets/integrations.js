// Opens a provider's setup in a pop-up, receives its result, and shows it without a reload. Without this script the same
// links open the setup as a full page.

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

/** The words of the result, with the one code that everybody meets put into ours. */
function inWords(detail, provider) {
  return detail === "access_denied"
    ? `access was denied at ${provider} (access_denied).`
    : (detail ?? "the connection was not finished.");
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

/** Takes the list as the server renders it now, so that a new row has its place by name. */
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

/** What the host left to say about a failure, with the details for support. */
async function leftToSay() {
  const answer = await fetch(window.location.href, { headers: { accept: "text/html" } });
  const page = new DOMParser().parseFromString(answer.ok ? await answer.text() : "", "text/html");
  const left = page.querySelector("#notices .notice.error p");
  return left === null ? "" : ` ${left.textContent}`;
}

/** Opens a setup; false when the browser blocked the pop-up. */
function open(link) {
  const { setup, width, height } = link.dataset;
  const name = randomName();
  const url = new URL(setup, window.location.href);
  url.searchParams.set("channel", name);
  const popup = window.open("", "_blank", centred(Number(width), Number(height)));
  if (popup === null) {
    return false;
  }
  // The service's pages must not lead this page elsewhere. The answer comes over the channel.
  popup.opener = null;
  popup.location.replace(url);
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
      const name = answer.data?.name;
      notice("success", `${link.dataset.name}${name ? ` (${name})` : ""} is connected.`);
    } else {
      const more = await leftToSay().catch(() => "");
      notice("error", `${link.dataset.name} was not connected: ${inWords(answer.data?.detail, link.dataset.name)}${more}`);
    }
  };

  window.addEventListener(
    "message",
    (event) => {
      // Only the pop-up itself, while it shows our own pages, in a browser that kept its way back to this page.
      if (event.origin === window.location.origin && event.source === popup) {
        finish(event.data);
      }
    },
    { signal: stop.signal },
  );
  channel.addEventListener("message", (event) => finish(event.data), { signal: stop.signal });

  // A provider's page may sever the windows, which looks the same as closing: so the channel stays open.
  const watch = setInterval(() => {
    if (stop.signal.aborted) {
      clearInterval(watch);
    } else if (popup.closed) {
      clearInterval(watch);
      notice("", `The ${link.dataset.name} window is closed, or cannot be seen from here. If you closed it, nothing was added.`, {
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
