// Small comforts on every page: theme toggle, menus, copy buttons, questions before what cannot be undone, local times.

import "./keys.js";
import "./signed-out.js";

for (const button of document.querySelectorAll("[data-opens-keys]")) button.hidden = false;

const announce = (text) => {
  const place = document.getElementById("announcer");
  if (place) place.textContent = text;
};

const themeNames = { auto: "Theme: as the system", light: "Theme: light", dark: "Theme: dark" };
const nameTheme = (button, choice) => {
  button.title = themeNames[choice];
  button.setAttribute("aria-label", `${themeNames[choice]}. Change`);
};
for (const button of document.querySelectorAll("[data-toggle-theme]")) {
  button.hidden = false;
  nameTheme(button, document.documentElement.dataset.themeChoice);
  button.addEventListener("click", () => {
    const choice = window.eustressTheme.next();
    nameTheme(button, choice);
    announce(themeNames[choice]);
  });
}

document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
  if (event.target.closest("[data-closes]")) event.target.closest("dialog")?.close();
  const copier = event.target.closest("[data-copies]");
  if (copier) copy(copier);
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

async function copy(button) {
  const field = document.getElementById(button.dataset.copies);
  const text = field.value ?? field.textContent;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // No clipboard without https: select the text, so that Ctrl-C takes it.
    if (field.select) field.select();
    else getSelection().selectAllChildren(field);
    if (!document.execCommand("copy")) return;
  }
  const before = button.textContent;
  button.textContent = "Copied";
  announce("Copied");
  setTimeout(() => (button.textContent = before), 1600);
}

// <form data-confirm="…"> and hx-confirm="…" ask first; the words come from the page, in a dialog of our own.
function ask(question, button, go) {
  const dialog = document.getElementById("confirm");
  dialog.querySelector("[data-question]").textContent = question;
  const yes = dialog.querySelector("[data-yes]");
  yes.textContent = button || "Yes";
  yes.onclick = () => {
    dialog.close();
    go();
  };
  dialog.showModal();
}
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.dataset?.confirm || form.dataset.confirmed) return;
  event.preventDefault();
  ask(form.dataset.confirm, form.dataset.confirmButton, () => {
    form.dataset.confirmed = "yes";
    form.requestSubmit(event.submitter);
  });
});

// A second press while the first is under way would do it twice: start two runs. On the window, so that forms which
// scripts or questions have taken over are known by then. Who stopped the page from loading may send again after a while.
const PATIENCE = 20_000; // milliseconds
let sent = new WeakMap(); // form -> when
addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || form.getAttribute("method")?.toLowerCase() !== "post") return;
  if (Date.now() - (sent.get(form) ?? -PATIENCE) < PATIENCE) event.preventDefault();
  else sent.set(form, Date.now());
});
addEventListener("pageshow", () => (sent = new WeakMap())); // come back to

document.addEventListener("htmx:confirm", (event) => {
  if (!event.detail.question) return;
  event.preventDefault();
  ask(event.detail.question, event.detail.elt.dataset.confirmButton, () => event.detail.issueRequest(true));
});

document.addEventListener("change", (event) => {
  if (event.target.matches?.("[data-submits]")) event.target.form.requestSubmit();
});

const localTimes = (root) => {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const date = new Date(time.dateTime);
    if (!Number.isNaN(date.getTime())) time.title = date.toLocaleString();
  }
};
localTimes(document);
document.addEventListener("eustress:parts", () => localTimes(document));
document.addEventListener("htmx:load", (event) => localTimes(event.detail.elt.parentElement ?? document));

// What scrolls by itself must be reachable by keyboard, too; what fits must not be a stop on the way.
const scrollers = ".tablewrap, .scroll, .events, pre";
let looking = false;
const makeReachable = () => {
  looking = false;
  for (const box of document.querySelectorAll(scrollers)) {
    const scrolls = box.scrollWidth > box.clientWidth + 1 || box.scrollHeight > box.clientHeight + 1;
    if (scrolls) box.tabIndex = 0;
    else if (box.tabIndex === 0) box.removeAttribute("tabindex");
  }
};
const lookAgain = () => {
  if (looking) return;
  looking = true;
  requestAnimationFrame(makeReachable);
};
new ResizeObserver(lookAgain).observe(document.body);
new MutationObserver(lookAgain).observe(document.body, { childList: true, subtree: true });
lookAgain();
