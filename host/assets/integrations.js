// Opens a provider's set-up in a pop-up and hears its answer. Without this script the same links are a full-page set-up.

const notices = document.getElementById("notices");

function notice(text, isError) {
  const line = document.createElement("p");
  line.className = isError ? "notice error" : "notice";
  line.textContent = text;
  notices.replaceChildren(line);
}

function randomName() {
  const bytes = crypto.getRandomValues(new Uint8Array(24));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function open(link) {
  const { setup, width, height } = link.dataset;
  const name = randomName();
  const left = Math.max(0, window.screenX + (window.outerWidth - width) / 2);
  const top = Math.max(0, window.screenY + (window.outerHeight - height) / 2);
  const size = `popup,width=${width},height=${height},left=${left},top=${top}`;
  const popup = window.open(`${setup}?channel=${name}`, "_blank", size);
  if (popup === null) {
    return false; // Blocked: the link goes on as a full page.
  }
  const channel = new BroadcastChannel(name);
  const stop = new AbortController();
  const finish = (answer) => {
    if (typeof answer?.success !== "boolean") {
      return;
    }
    stop.abort();
    channel.close();
    if (answer.success) {
      window.location.reload();
    } else {
      notice(String(answer.data?.detail ?? "The set-up did not finish."), true);
    }
  };
  window.addEventListener(
    "message",
    (event) => {
      if (event.origin === window.location.origin && event.source === popup) {
        finish(event.data);
      }
    },
    { signal: stop.signal },
  );
  channel.addEventListener("message", (event) => finish(event.data));
  return true;
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-setup]");
  if (link !== null && open(link)) {
    event.preventDefault();
  }
});
