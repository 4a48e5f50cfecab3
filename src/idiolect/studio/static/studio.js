// The little that a page cannot do by itself: drafts that stream in, curves that move, copying, keys. Without it every form still works.
"use strict";

function stream(section) {
  const state = section.querySelector(".state");
  const source = new EventSource(section.dataset.events);
  const card = (index) => section.querySelector(`#draft-${index}`);
  source.addEventListener("text", (event) => {
    const { index, text } = JSON.parse(event.data);
    // As text, never as markup: a draft may hold anything.
    const shown = card(index)?.querySelector(".text");
    if (shown) shown.textContent = text;
  });
  source.addEventListener("card", (event) => {
    const { index, html } = JSON.parse(event.data);
    // The server's own template, in which the draft is escaped.
    const parsed = new DOMParser().parseFromString(html, "text/html");
    card(index)?.replaceWith(parsed.querySelector("article"));
  });
  source.addEventListener("end", () => {
    source.close();
    if (section.dataset.then === "reload") location.reload();
    else if (state) state.textContent = "";
  });
  source.onerror = () => {
    if (state) state.textContent = "The studio does not answer. Is it still running in the terminal?";
  };
  source.onopen = () => {
    if (state?.textContent.startsWith("The studio")) state.textContent = "Writing …";
  };
}

function follow(place) {
  const again = async () => {
    try {
      const answer = await fetch(place.dataset.live);
      // A person about to press a button there must not lose it.
      if (answer.ok && !place.contains(document.activeElement)) {
        place.replaceChildren(...new DOMParser().parseFromString(await answer.text(), "text/html").body.childNodes);
      }
    } catch {
      // The studio has ended, or starts anew; the next look tells.
    }
    if (place.querySelector("[data-state=running]")) setTimeout(again, 2000);
  };
  setTimeout(again, 2000);
}

async function copy(button) {
  const text = document.getElementById(button.dataset.copy)?.querySelector(".text")?.textContent ?? "";
  const before = button.innerHTML;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Select and copy by hand";
  }
  setTimeout(() => { button.innerHTML = before; }, 1600);
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy]");
  if (button) copy(button);
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.form) {
    event.target.form.requestSubmit();
    event.preventDefault();
  }
  // Single letters only while the focus is among the vote's buttons, so that they are in nobody's way.
  const keys = event.target.closest?.("[data-keys]");
  if (keys && !event.ctrlKey && !event.metaKey && !event.altKey) keys.querySelector(`[data-key="${CSS.escape(event.key.toLowerCase())}"]`)?.click();
});

document.addEventListener("submit", (event) => {
  const button = event.submitter;
  if (!button?.dataset.busy) return;
  button.textContent = button.dataset.busy;
  // A button that is off at once would not be sent with its form.
  setTimeout(() => { button.disabled = true; });
});

// A page that comes back from the browser's memory has its buttons as they were left.
window.addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

document.addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll("[data-events]").forEach(stream);
  document.querySelectorAll("[data-live]").forEach(follow);
});
