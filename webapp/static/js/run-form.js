// The form that starts runs: presets fill the fields, and what a dry run finds wrong is said beside its field. A form
// that comes back with errors takes the old one's place and is begun anew.

import { watchBases } from "./run-form-bases.js";

const form = () => document.getElementById("run-form");
const dataset = () => form().querySelector("[name=dataset]");
const task = () => dataset()?.selectedOptions[0]?.dataset.task;
const valuesOf = (preset, name) => JSON.parse(preset.getAttribute(`data-values-${name ?? "classification"}`) ?? "null");
const told = (name) => form().dispatchEvent(new Event(name));

let first = new Map(); // what the page brought: field -> its value
let usualSize = "";
let before;
let typed = false;

function begin() {
  first = new Map([...form().elements].filter((field) => field.name && field.type !== "file").map((field) => [field, { value: field.defaultValue, checked: field.defaultChecked }]));
  // A field in a closed section that needs another look: open the way to it.
  for (const invalid of form().querySelectorAll("[aria-invalid='true'], .errorlist")) reveal(invalid);
  const invalid = form().querySelector("[aria-invalid='true'], [data-invalid] input");
  invalid?.focus();
  usualSize = form().elements.input_size.placeholder;
  before = task();
  typed = Boolean(invalid);
  fitTask();
  watchBases(form());
}

function reveal(element) {
  for (let place = element.closest("details"); place; place = place.parentElement.closest("details")) place.open = true;
}

// -- presets and the team's templates

function fill(name, value) {
  for (const field of form().querySelectorAll(`[name="${CSS.escape(name)}"]`)) {
    if (field.type === "radio") field.checked = field.value === value;
    else if (field.type === "checkbox") field.checked = Array.isArray(value) ? value.includes(field.value) : Boolean(value);
    else field.value = value;
  }
}

// Inputs of parts that a preset does not name go back to what the page brought.
function restoreParts() {
  for (const [field, was] of first) {
    if (!/^(stress|environment)-/.test(field.name)) continue;
    if (field.type === "radio" || field.type === "checkbox") field.checked = was.checked;
    else field.value = was.value;
  }
}

document.addEventListener("click", (event) => {
  const preset = event.target.closest("[data-preset]");
  if (!preset || event.ctrlKey || event.metaKey) return;
  const values = valuesOf(preset, task());
  if (!values) return; // a template for other data: its link asks for the page anew
  event.preventDefault();
  restoreParts();
  for (const [name, value] of Object.entries(values)) fill(name, value);
  for (const other of form().querySelectorAll("[data-preset]")) other.removeAttribute("aria-current");
  preset.setAttribute("aria-current", "true");
  changed();
  told("preset");
  document.getElementById("announcer").textContent = `${preset.querySelector("b").textContent}: the fields are filled.`;
});

// -- only base networks of the data's task are offered

function fitTask() {
  const wanted = task();
  for (const choice of form().querySelectorAll(".choice[data-task]")) {
    choice.hidden = Boolean(wanted) && choice.dataset.task !== wanted;
    choice.querySelector("input[type=radio]").disabled = choice.hidden;
  }
  for (const headline of form().querySelectorAll(".headline")) headline.hidden = Boolean(wanted) && headline.dataset.task !== wanted;
  for (const hint of form().querySelectorAll("[data-for-task]")) hint.hidden = hint.dataset.forTask !== wanted;
  const size = form().elements.input_size;
  size.placeholder = wanted === "detection" ? "224" : usualSize;
  size.step = wanted === "detection" ? 32 : 1;
  size.min = wanted === "detection" ? 64 : 8;
}

// Data of another task: what the two tasks' defaults differ in is filled anew, the rest stays as it was typed.
// A form that nobody has typed in yet is simply asked for again, with what suits the other data.
function takeDataset() {
  const preset = form().querySelector("[data-preset][aria-current]") ?? form().querySelector("[data-preset=balanced]");
  if (!typed && form().hasAttribute("data-fresh")) {
    const address = new URL(preset.href);
    address.searchParams.set("dataset", dataset().value);
    location.search = address.search;
    return;
  }
  fitTask();
  if (!task() || task() === before) return;
  const old = (before && valuesOf(preset, before)) || {};
  for (const [name, value] of Object.entries(valuesOf(preset, task()) ?? {})) {
    if (JSON.stringify(value) !== JSON.stringify(old[name])) fill(name, value);
  }
  const fitting = [...form().querySelectorAll(".choice[data-task]:not([hidden]) > input[type=radio]")];
  if (fitting.length && !fitting.some((input) => input.checked)) (fitting.find((input) => input.value === "tiny-yolov2") ?? fitting[0]).checked = true;
  if (form().elements.width.value !== "1") document.getElementById("sizes").open = true; // detectors come narrowed
  before = task();
  told("preset");
}

// -- what follows from a change

function changed() {
  const stale = document.querySelector("#dry-run.panel [data-stale]");
  if (stale) stale.hidden = false;
}

document.addEventListener("input", (event) => {
  if (!form()?.contains(event.target)) return;
  typed ||= event.target !== dataset();
  if (event.target.name && event.target.name !== "name" && event.target.name !== "keep_as") changed();
});
document.addEventListener("change", (event) => {
  if (event.target === dataset()) takeDataset();
});

// -- what a dry run finds wrong, beside its field

function place(problems) {
  for (const line of problems.querySelectorAll("[data-field]")) {
    const field = document.getElementById(line.dataset.field);
    const home = field?.closest(".field");
    if (!home) continue;
    const list = Object.assign(document.createElement("ul"), { className: "errorlist", id: `${field.id}_tried` });
    list.append(Object.assign(document.createElement("li"), { textContent: line.querySelector("span").textContent }));
    home.append(list);
    field.setAttribute("aria-invalid", "true");
    reveal(field);
  }
}
const forget = () => {
  for (const list of form().querySelectorAll(".errorlist[id$=_tried]")) {
    document.getElementById(list.id.replace("_tried", ""))?.removeAttribute("aria-invalid");
    list.remove();
  }
};

document.addEventListener("htmx:afterSwap", (event) => {
  const swapped = event.detail.target;
  if (swapped.id === "run-form") begin();
  if (swapped.id !== "dry-run") return;
  forget();
  const panel = document.getElementById("dry-run");
  const problems = panel.querySelector("[data-problems]");
  if (problems) place(problems);
  requestAnimationFrame(() => panel.scrollIntoView({ block: "nearest" }));
});

begin();

// What was typed before the scripts had come, or is brought back by the browser, counts as typed.
addEventListener("load", () => {
  const differs = ([field, was]) => (field.type === "radio" || field.type === "checkbox" ? field.checked !== was.checked : was.value !== undefined && field.value !== was.value);
  if (![...first].some(differs)) return;
  typed = true;
  told("preset");
});
