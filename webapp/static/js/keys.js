// Keyboard shortcuts on every page. An element says its own key: <a data-key="d" data-key-help="take it away">; pages'
// own places are below. They never fight with typing, and can be turned off (WCAG 2.1.4).

const PLACES = { r: "/runs/", d: "/datasets/", t: "/team/", n: "/runs/new/" };
const PATIENCE = 1500; // milliseconds between g and the letter after it
const SWITCH = "eustress-keys";

let waiting = 0; // until when a letter after g counts
const help = document.getElementById("keys");

const allowed = () => {
  try {
    return localStorage.getItem(SWITCH) !== "off";
  } catch {
    return true;
  }
};

// Ticks and switches take no letters; fields do.
const FIELDS = 'input:not([type="checkbox"], [type="radio"], [type="button"], [type="submit"], [type="range"]), select, textarea, [contenteditable]';
const isTyping = (target) => target.closest?.(FIELDS) != null;
const isPlain = (event) => !(event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.defaultPrevented);

document.addEventListener("keydown", (event) => {
  if (!isPlain(event) || isTyping(event.target) || document.querySelector("dialog[open]")) return;
  if (event.key === "?" && help) {
    event.preventDefault();
    openHelp();
    return;
  }
  if (allowed() && act(event.key)) event.preventDefault();
});

function act(key) {
  if (waiting > Date.now()) {
    waiting = 0;
    return go(key);
  }
  if (key === "g" && Object.keys(PLACES).some(leads)) {
    waiting = Date.now() + PATIENCE;
    return true;
  }
  if (key === "/") return search();
  if (key === "j" || key === "k") return step(key === "j" ? 1 : -1);
  const element = own().get(key);
  element?.click();
  return element != null;
}

// The page's own keys: key -> what it clicks. Of several the last: what is selected stands after what is chosen.
function own() {
  const shown = [...document.querySelectorAll("[data-key]")].filter((one) => one.checkVisibility());
  return new Map(shown.map((one) => [one.dataset.key, one]));
}

// g, then a letter: only where the page's own navigation leads to as well.
const leads = (key) => PLACES[key] && document.querySelector(`.masthead nav a[href="${PLACES[key]}"], a[data-place="${PLACES[key]}"]`);

function go(key) {
  leads(key)?.click();
  return leads(key) != null;
}

const searchField = () => [...document.querySelectorAll('input[type="search"]')].find((input) => input.checkVisibility());

function search() {
  const field = searchField();
  if (!field) return false;
  field.focus();
  field.select();
  return true;
}

// The next or previous network: of a network's page by its own links, of a run's page by the rows of its table.
const stepLink = (by) => document.querySelector(by > 0 ? 'a[data-step="next"]' : 'a[data-step="previous"]');
const stepRows = () => [...document.querySelectorAll("tr[data-network]")].filter((row) => row.checkVisibility());

function step(by) {
  const [link, rows] = [stepLink(by), stepRows()];
  if (link) {
    link.click();
    return true;
  }
  if (!rows.length) return false;
  const at = rows.findIndex((row) => row.getAttribute("aria-selected") === "true");
  const next = rows[at < 0 ? (by > 0 ? 0 : rows.length - 1) : at + by];
  // Beyond the last row the table's next page comes, and the same key goes on in it.
  const target = next ? next.querySelector("a.picks") : document.querySelector(`#networks .pages a[rel=${by > 0 ? "next" : "prev"}]`);
  target?.click();
  return true;
}

// -- the overlay: what works everywhere, and what this page offers; nothing is listed that would do nothing here

function openHelp() {
  const here = help.querySelector("[data-keys-here]");
  const offered = [...own()].map(([key, element]) => [key, element.dataset.keyHelp]);
  if (searchField()) offered.unshift(["/", "search"]);
  for (const [key, by, words] of [["j", 1, "next network"], ["k", -1, "previous network"]]) {
    if (stepLink(by) || stepRows().length) offered.push([key, words]);
  }
  here.replaceChildren(...offered.map(([key, words]) => line(key, words)));
  for (const row of help.querySelectorAll("[data-leads]")) row.hidden = !leads(row.dataset.leads);
  help.querySelector("[data-keys-none]").hidden = offered.length > 0;
  help.querySelector("[data-keys-on]").checked = allowed();
  help.showModal();
}

function line(key, words) {
  const row = document.createElement("div");
  const [term, meaning] = [document.createElement("dt"), document.createElement("dd")];
  const cap = document.createElement("kbd");
  cap.textContent = key;
  term.append(cap);
  meaning.textContent = words;
  row.append(term, meaning);
  return row;
}

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-opens-keys]")) openHelp();
});
help?.querySelector("[data-keys-on]").addEventListener("change", (event) => {
  try {
    localStorage.setItem(SWITCH, event.target.checked ? "on" : "off");
  } catch {
    // storage may be forbidden: then they stay on
  }
});
help?.addEventListener("keydown", (event) => {
  if (event.key === "?") help.close();
});
