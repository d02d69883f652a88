// The new-run form: presets fill the fields, and files that a team brings are taken in and looked into at once.

import { waitForBase } from "./bases.js";

const form = document.getElementById("run-form");

const dataset = form.querySelector("[name=dataset]");
const task = () => dataset?.selectedOptions[0]?.dataset.task;
const valuesOf = (preset, name) => JSON.parse(preset.getAttribute(`data-values-${name ?? "classification"}`) ?? "{}");

function fill(name, value) {
  const fields = form.querySelectorAll(`[name="${CSS.escape(name)}"]`);
  for (const field of fields) {
    if (field.type === "radio") field.checked = field.value === value;
    else if (field.type === "checkbox") field.checked = Array.isArray(value) ? value.includes(field.value) : Boolean(value);
    else field.value = value;
  }
}

// Inputs of parts that a preset does not name go back to what the page brought.
const first = new Map([...form.elements].filter((field) => field.name && field.type !== "file").map((field) => [field, { value: field.defaultValue, checked: field.defaultChecked }]));

function restoreParts() {
  for (const [field, was] of first) {
    if (!/^(stress|environment)-/.test(field.name)) continue;
    if (field.type === "radio" || field.type === "checkbox") field.checked = was.checked;
    else field.value = was.value;
  }
}

form.addEventListener("click", (event) => {
  const preset = event.target.closest("[data-preset]");
  if (!preset || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  restoreParts();
  for (const [name, value] of Object.entries(valuesOf(preset, task()))) fill(name, value);
  for (const other of form.querySelectorAll("[data-preset]")) other.removeAttribute("aria-current");
  preset.setAttribute("aria-current", "true");
  form.dispatchEvent(new Event("preset"));
  document.getElementById("announcer").textContent = `${preset.querySelector("b").textContent}: the fields are filled.`;
});

// A field in a closed section that needs another look: open the way to it.
for (const invalid of form.querySelectorAll("[aria-invalid='true'], .errorlist")) invalid.closest("details")?.setAttribute("open", "");
form.querySelector("[aria-invalid='true']")?.focus();

// Only base networks of the data's task are offered.
const usualSize = form.elements.input_size.placeholder;
function fitTask() {
  const wanted = task();
  for (const choice of form.querySelectorAll(".choice[data-task]")) {
    choice.hidden = Boolean(wanted) && choice.dataset.task !== wanted;
    choice.querySelector("input[type=radio]").disabled = choice.hidden;
  }
  for (const hint of form.querySelectorAll("[data-for-task]")) hint.hidden = hint.dataset.forTask !== wanted;
  form.elements.input_size.placeholder = wanted === "detection" ? "224" : usualSize;
  form.elements.input_size.step = wanted === "detection" ? 32 : 1;
  form.elements.input_size.min = wanted === "detection" ? 64 : 8;
}

// Data of another task: what the two tasks' defaults differ in is filled anew, the rest stays as it was typed.
// A form that nobody has typed in yet is simply asked for again, with what suits the other data.
let before = task();
let typed = Boolean(form.querySelector("[aria-invalid='true']"));
form.addEventListener("input", (event) => { typed ||= event.target !== dataset; });
dataset?.addEventListener("change", () => {
  const preset = form.querySelector("[data-preset][aria-current]") ?? form.querySelector("[data-preset=balanced]");
  if (!typed && form.hasAttribute("data-fresh")) {
    location.search = new URLSearchParams({ preset: preset.dataset.preset, dataset: dataset.value });
    return;
  }
  fitTask();
  if (task() && task() !== before) {
    const old = before ? valuesOf(preset, before) : {};
    for (const [name, value] of Object.entries(valuesOf(preset, task()))) {
      if (JSON.stringify(value) !== JSON.stringify(old[name])) fill(name, value);
    }
    const fitting = [...form.querySelectorAll(".choice[data-task]:not([hidden]) > input[type=radio]")];
    if (fitting.length && !fitting.some((input) => input.checked)) (fitting.find((input) => input.value === "tiny-yolov2") ?? fitting[0]).checked = true;
    before = task();
    form.dispatchEvent(new Event("preset"));
  }
});
fitTask();

const refusals = {
  401: "you are signed out; sign in in another tab, then choose the file again",
  403: "that was not allowed: your role may have changed, or the form is too old; reload the page",
  413: "it is larger than this server takes",
  507: "the server's disk has too little room for it",
};

// -- own networks and weights: sent as soon as they are chosen, and watched until they are ready
for (const place of form.querySelectorAll("[data-base]")) {
  const input = place.querySelector("input[type=file]");
  const select = place.querySelector("select");
  const states = place.querySelector("[data-states]");
  for (const line of states.querySelectorAll("[data-waits]")) follow(line, line.dataset.waits);
  input.addEventListener("change", async () => {
    const file = input.files[0];
    if (!file) return;
    const line = document.createElement("li");
    line.textContent = `${file.name}: being sent…`;
    states.prepend(line);
    const body = new FormData();
    body.append("kind", place.dataset.base);
    body.append("file", file);
    body.append("csrfmiddlewaretoken", form.elements.csrfmiddlewaretoken.value);
    input.value = ""; // it must not be sent a second time with the form
    try {
      const response = await fetch(place.dataset.add, { method: "POST", body, headers: { Accept: "application/json" } });
      const answer = await response.json().catch(() => ({})); // a refusal before our view, or a proxy's, is a page
      if (!response.ok) throw new Error(answer.error ?? refusals[response.status] ?? `the server answered ${response.status}; try again`);
      follow(line, `${place.dataset.add.replace(/add\/$/, "")}${answer.id}.json`);
    } catch (error) {
      line.className = "lost";
      line.textContent = `${file.name}: ${error.message}`;
    }
  });

  function follow(line, address) {
    waitForBase(address, (base) => {
      line.className = base.state === "refused" || base.state === "errored" ? "lost" : "muted";
      line.textContent = [base.name, [base.label, base.message || base.summary].filter(Boolean).join(": ")].join(": ");
      if (base.state !== "ready") return;
      if (![...select.options].some((option) => option.value === base.sha256)) select.add(new Option(base.name, base.sha256));
      select.value = base.sha256;
      if (place.dataset.base === "onnx") form.querySelector("#id_architecture_own").checked = true;
      form.dispatchEvent(new Event("preset"));
    });
  }
}
