// The panel "On devices" of a network's page: times it and its ancestor in a worker, says what came out, and has it kept.

import { replaceParts } from "../parts.js";
import { browserOf, deviceName } from "./guess.js";

const CALLED = "eustress-device"; // as its owner calls it, in this browser's memory
const STEPS = {
  fetching: "Fetching the networks",
  starting: "Starting ONNX Runtime",
  warming: "Warming up",
  timing: "Timing",
};
const FAILURES = {
  wasm: "This browser cannot run it: it has no WebAssembly, or it is switched off. A newer browser will do.",
  memory: "This device has not enough free memory for the network. Close other pages and programs, or take a smaller one.",
  connection: "The files did not come: the connection broke. Try it again.",
  gone: "The files are not there for you any more. Load this page again.",
  hidden: "This page went out of sight, where browsers slow pages down, so the result would say too little. Time it again with the page in sight.",
  network: "ONNX Runtime could not run it here",
};

const panel = () => document.getElementById("devices");
const button = () => panel()?.querySelector("button[data-times]");
const label = () => document.getElementById("device-label");
const place = () => document.getElementById("devices-now");
const element = (tag, properties = {}, ...children) => {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
};

let running = null; // the worker
let wasHidden = false; // since it runs

// -- the device's name

const remembered = () => {
  try {
    return localStorage.getItem(CALLED);
  } catch {
    return null; // storage may be forbidden
  }
};
let guessed = "";
const callIt = () => {
  const field = label();
  if (field && !field.value) field.value = remembered() || guessed;
};
const ready = async () => {
  if (!panel()) return;
  guessed ||= await deviceName();
  callIt();
};

// -- words

export const milliseconds = (value) => {
  const digits = value < 0.01 ? 4 : value < 0.1 ? 3 : value < 10 ? 2 : value < 100 ? 1 : 0;
  return `${value.toFixed(digits)} ms`;
};

const times = (ratio) => `${ratio < 99.95 ? ratio.toFixed(1) : ratio.toFixed(0)}×`;

export function compared(ratio) {
  if (times(ratio) === times(1) || times(1 / ratio) === times(1)) return "as fast as the ancestor";
  return ratio > 1 ? `${times(ratio)} faster` : `${times(1 / ratio)} slower`;
}

function sentence({ ms, ancestor, alone }) {
  const own = element("b", { textContent: milliseconds(ms) });
  if (ancestor !== null) return [own, ` an image; the ancestor takes ${milliseconds(ancestor)}. On this device that is `, element("b", { textContent: compared(ancestor / ms) }), "."];
  return [own, ` an image on this device.${alone ? " Its ancestor does not fit into the memory that this browser has." : ""}`];
}

// -- showing

function show(...children) {
  place().replaceChildren(...children);
  place().hidden = false;
}

const note = (words, kind = "error") => {
  const made = element("p", { className: `note ${kind}` }, words);
  made.setAttribute("role", "alert");
  return made;
};

function showProgress() {
  const words = element("span", { textContent: STEPS.fetching });
  const bar = element("progress", { max: 1, value: 0 });
  bar.setAttribute("aria-label", "Timing on this device");
  const stop = element("button", { type: "button", className: "btn btn-sm", textContent: "Stop" });
  stop.addEventListener("click", () => end());
  show(element("div", { className: "split" }, words, stop), bar);
  stop.focus({ preventScroll: true });
  return ({ step, done }) => {
    words.textContent = STEPS[step];
    if (done === undefined) bar.removeAttribute("value");
    else bar.value = done;
  };
}

// -- running

function start() {
  const { runtime, wasm } = panel().dataset;
  const { own, ownSize, ancestor, ancestorSize, keep } = button().dataset;
  const whole = (address) => new URL(address, location.href).href; // a worker has another base
  const asked = { runtime: whole(runtime), wasm: whole(wasm), own: { url: whole(own), size: Number(ownSize) } };
  if (ancestor) asked.ancestor = { url: whole(ancestor), size: Number(ancestorSize) };
  const called = label()?.value.trim() ?? "";
  if (called && called !== guessed) remember(called);
  button().disabled = true;
  document.getElementById("devices-timer").setAttribute("aria-busy", "true"); // it is not renewed meanwhile
  const progress = showProgress();
  const finish = (...shown) => {
    end();
    show(...shown);
  };
  try {
    running = new Worker(panel().dataset.worker, { type: "module" });
  } catch {
    return finish(note(FAILURES.wasm));
  }
  wasHidden = document.hidden;
  running.addEventListener("error", () => finish(note(FAILURES.wasm))); // the module itself could not be loaded
  running.addEventListener("message", ({ data }) => {
    if (data.failure) finish(note(data.failure.kind === "network" ? `${FAILURES.network}: ${data.failure.detail}` : FAILURES[data.failure.kind]));
    else if (!data.result) progress(data);
    else if (wasHidden) finish(note(FAILURES.hidden, "warning"));
    else {
      const words = element("p", { className: "result" }, ...sentence(data.result));
      words.setAttribute("role", "status");
      finish(words);
      if (keep) send(keep, called, data.result);
    }
  });
  running.postMessage(asked);
}

function end() {
  running?.terminate();
  running = null;
  const focused = place().contains(document.activeElement);
  place().replaceChildren();
  place().hidden = true;
  document.getElementById("devices-timer").removeAttribute("aria-busy");
  if (button()) {
    button().disabled = false;
    if (focused) button().focus({ preventScroll: true });
  }
  document.dispatchEvent(new Event("eustress:idle"));
}

// -- keeping

function remember(called) {
  try {
    localStorage.setItem(CALLED, called);
  } catch {
    // storage may be forbidden
  }
}

async function send(address, called, { ms, ancestor, rounds }) {
  const body = new FormData();
  const values = { label: called || guessed, browser: browserOf(navigator.userAgent), ms, ancestor_ms: ancestor ?? "", rounds };
  for (const [name, value] of Object.entries(values)) body.append(name, value);
  body.append("csrfmiddlewaretoken", panel().querySelector("[name=csrfmiddlewaretoken]")?.value ?? "");
  const again = (why) => {
    const retry = element("button", { type: "button", className: "btn btn-sm", textContent: "Keep it" });
    const told = note(`${why} `);
    retry.addEventListener("click", () => {
      told.remove();
      send(address, called, { ms, ancestor, rounds });
    });
    told.append(retry);
    place().append(told);
  };
  try {
    const response = await fetch(address, { method: "POST", body, headers: { "X-Requested-With": "fetch" } });
    if (response.ok && !response.redirected) return replaceParts(await response.text());
    const { error } = await response.json().catch(() => ({}));
    again(`The result could not be kept: ${error ?? `the server answered ${response.status}`}.`.replace(/\.\.$/, "."));
  } catch {
    again("The result is not kept yet: the server could not be reached.");
  }
}

document.addEventListener("click", (event) => {
  if (event.target.closest("#devices button[data-times]") && !running) start();
});
document.addEventListener("visibilitychange", () => (wasHidden ||= document.hidden));
document.addEventListener("eustress:parts", callIt);
ready();
