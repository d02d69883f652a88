// What people press around the charts: switches, search, rules, zoom. Links work without scripts, too.

import { readView, windowText, writeAddress } from "./view.js";

// What a kind of link changes: the rest of its address may be older than the page's.
const CHANGED = {
  height: ["height", "hscale"],
  cost: ["cost", "xscale"],
  sort: ["sort", "page"],
  page: ["page"],
  columns: ["columns"],
  network: ["network", "against"],
  against: ["network", "against"],
  everything: ["q", "page"],
  ticks: ["compare"],
};

export function connect(explorer) {
  const { root } = explorer;
  choose(explorer, matchMedia("(pointer: fine)").matches ? "select" : "");

  root.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-view]");
    if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
      event.preventDefault();
      follow(explorer, link);
      return;
    }
    const button = event.target.closest("button");
    if (button && press(explorer, button)) return;
    const row = event.target.closest("tr[data-network]");
    if (row && !event.target.closest("a, .tick") && !getSelection().toString()) explorer.selectNamed(row.dataset.network);
  });

  root.addEventListener("pointerover", (event) => {
    const row = event.target.closest("tr[data-network]");
    if (row && explorer.data) explorer.focus(explorer.data.byName.get(row.dataset.network)?.index ?? null, "table");
    else if (event.target.closest("#networks")) explorer.focus(null, "table");
  });

  root.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.matches("[data-rule]")) {
      event.preventDefault();
      land(explorer, form);
    } else if (form.matches("[data-search]")) {
      event.preventDefault();
      find(explorer, form.elements.q.value.trim());
    } else if (form.matches("[data-sends-view]")) form.elements.query.value = location.search;
    else if (form.matches("[data-tries]")) keepView(form);
  });

  root.addEventListener("change", (event) => {
    if (event.target.matches("input[data-ticks]")) tick(explorer, event.target);
  });

  let typing = 0;
  root.addEventListener("input", (event) => {
    const form = event.target.closest("[data-search], [data-ranges]");
    if (!form) return;
    clearTimeout(typing);
    typing = setTimeout(() => (form.matches("[data-search]") ? explorer.change({ q: form.elements.q.value.trim(), page: "" }) : type(explorer, form), explorer.loadParts()), 250);
  });

  const lines = root.querySelector("details[data-lines]");
  lines?.addEventListener("toggle", () => {
    if (lines.open === explorer.view.lines) return;
    explorer.change({ lines: lines.open ? "1" : "" });
  });
}

// A network is ticked to be compared: the address holds which, on whatever page of the table they stand.
function tick(explorer, box) {
  const name = box.dataset.ticks;
  const ticked = explorer.view.compare.filter((one) => one !== name);
  const { most } = box.form.dataset;
  if (box.checked && ticked.length >= Number(most)) {
    box.checked = false;
    box.form.querySelector("[data-said]").textContent = `${ticked.length} ticked: no more than ${most} can be told apart.`;
    return;
  }
  if (box.checked) ticked.push(name);
  writeAddress({ compare: ticked.join(",") });
  explorer.view = readView();
  explorer.loadParts();
}

// Follows a link of the view without leaving the page.
function follow(explorer, link) {
  const query = new URLSearchParams(link.search);
  const { view, same } = link.dataset;
  const changes = Object.fromEntries((CHANGED[view] ?? [same]).map((name) => [name, query.get(name) ?? ""]));
  if (view === "cost" || view === "scale") explorer.tradeoff.window = null; // another axis: its whole length
  if (view === "height" || view === "scale") explorer.lineage.window = null;
  changes.zoom = windowText(explorer.tradeoff.window);
  changes.look = windowText(explorer.lineage.window);
  if (view === "everything") changes.ranges = {};
  explorer.change(changes);
  explorer.loadParts();
}

function press(explorer, button) {
  const { plot, zoom, mode, folds } = button.dataset;
  if (zoom) {
    const one = explorer.plots[plot];
    if (zoom === "all") one.wholly();
    else one.zoomMiddle(zoom === "in" ? 1.4 : 1 / 1.4);
  } else if (mode) {
    choose(explorer, explorer.mode === mode ? "" : mode);
  } else if (folds) {
    explorer.change({ fold: explorer.view.fold === folds ? "" : folds });
  } else if ("clears" in button.dataset) {
    explorer.clear();
  } else return false;
  return true;
}

// What a drag does. On a touch screen nothing is chosen at first: there a drag scrolls the page.
function choose(explorer, mode) {
  explorer.mode = mode;
  explorer.root.dataset.dragging = mode;
  for (const button of explorer.root.querySelectorAll("button[data-mode]")) button.setAttribute("aria-pressed", String(button.dataset.mode === mode));
}

// A rule lands on one network: the server says which, and why none where there is none.
async function land(explorer, form) {
  const place = explorer.root.querySelector("[data-landed]");
  const query = new URLSearchParams(new FormData(form));
  const response = await fetch(`${form.action}?${query}`, { headers: { Accept: "application/json" } });
  const answer = response.ok ? await response.json() : { sentence: "The server could not be asked. Try again." };
  place.textContent = answer.sentence;
  if (!answer.network) return;
  explorer.change({ network: answer.network, against: "" });
  const { index } = explorer.data?.byName.get(answer.network) ?? {};
  if (index != null) for (const plot of [explorer.lineage, explorer.tradeoff]) plot.show(index);
  await explorer.loadParts();
}

// Enter in the search selects what is named, or the only one that is left.
function find(explorer, text) {
  const exact = explorer.data?.byName.get(text.toLowerCase());
  explorer.change({ q: exact ? "" : text, page: "" });
  const left = explorer.selected ? explorer.data.networks.filter((_, i) => explorer.selected[i]) : [];
  const found = exact ?? (left.length === 1 ? left[0] : null);
  if (found && explorer.view.network !== found.name) explorer.select(found.index);
  else explorer.loadParts();
}

function type(explorer, form) {
  const ranges = {};
  for (const field of form.querySelectorAll("input[data-range]")) {
    const [key, end] = field.name.split(".");
    if (field.value === "" || !Number.isFinite(Number(field.value))) continue;
    (ranges[key] ??= [null, null])[end === "to" ? 1 : 0] = Number(field.value);
  }
  explorer.change({ ranges, page: "" });
}

// The fields of a plain form that bring the view along, as the address has it now.
function keepView(form) {
  for (const old of form.querySelectorAll("input[type=hidden]")) old.remove();
  for (const [name, value] of new URLSearchParams(location.search)) {
    if (!/^by(\.|$)/.test(name)) form.append(Object.assign(document.createElement("input"), { type: "hidden", name, value }));
  }
}
