// The upload form, made comfortable: drag and drop, a progress bar, files that survive a refusal, and uploads that
// survive a broken connection. Without this script the form is an ordinary one.

import { duration, size } from "./amounts.js";
import { NotSent, Stopped, announce, sendFiles } from "./pieces.js";
import { look } from "./signed-out.js";

const GOES_ON = "What has arrived is kept for a day: the same files go on from there.";
const form = document.getElementById("upload");
const input = document.getElementById("id_files");
const drop = document.getElementById("drop");
const chosen = document.getElementById("chosen");
const box = document.getElementById("progress");
const bar = document.getElementById("progress-bar");
const words = document.getElementById("progress-words");
const figures = document.getElementById("progress-figures");
const send = document.getElementById("send");
const stop = document.getElementById("stop");
const back = document.getElementById("back");
const name = document.getElementById("id_name");
const token = () => form.elements.csrfmiddlewaretoken.value; // another one after signing in again
const limit = Number(form.dataset.max);
const underWay = [...document.querySelectorAll("[data-under-way]")].map((item) => ({
  url: item.dataset.underWay,
  name: item.dataset.name,
  size: Number(item.dataset.size),
  modified: Number(item.dataset.modified),
}));
let sending = null;

function showErrors(errors) {
  for (const old of form.querySelectorAll(".errorlist, .forgotten")) old.remove();
  for (const marked of form.querySelectorAll("[aria-invalid]")) marked.removeAttribute("aria-invalid");
  let first = null;
  for (const [name, sentences] of Object.entries(errors)) {
    const field = form.querySelector(`[name="${CSS.escape(name)}"]`);
    const list = document.createElement("ul");
    list.className = "errorlist";
    list.setAttribute("role", "alert");
    for (const sentence of sentences) {
      const item = document.createElement("li");
      item.textContent = sentence;
      list.append(item);
    }
    (field?.closest(".field") ?? form).append(list);
    field?.setAttribute("aria-invalid", "true");
    first ??= field;
  }
  first?.focus();
}

function listChosen() {
  const files = [...input.files];
  chosen.replaceChildren(
    ...files.map((file) => {
      const item = document.createElement("li");
      item.textContent = `${file.name}, ${size(file.size)}`;
      return item;
    }),
  );
  chosen.hidden = files.length === 0;
  const total = files.reduce((sum, file) => sum + file.size, 0);
  if (total > limit) showErrors({ files: [`These files are ${size(total)} together; at most ${size(limit)} are allowed.`] });
  else showErrors({});
}
input.addEventListener("change", listChosen);

let depth = 0; // dragenter and dragleave also fire for children
drop.addEventListener("dragenter", (event) => {
  event.preventDefault();
  depth += 1;
  drop.classList.add("over");
});
drop.addEventListener("dragover", (event) => event.preventDefault());
drop.addEventListener("dragleave", () => {
  depth -= 1;
  if (depth === 0) drop.classList.remove("over");
});
drop.addEventListener("drop", (event) => {
  event.preventDefault();
  depth = 0;
  drop.classList.remove("over");
  const items = [...(event.dataTransfer.items ?? [])];
  if (items.some((item) => item.webkitGetAsEntry?.()?.isDirectory)) {
    showErrors({ files: ["That is a folder: zip it and drop the zip."] });
    return;
  }
  if (event.dataTransfer.files.length) {
    input.files = event.dataTransfer.files;
    listChosen();
  }
});

function busy(on) {
  box.hidden = !on;
  stop.hidden = !on;
  back.hidden = on;
  send.disabled = on;
}

function failed(sentence) {
  busy(false);
  showErrors({ files: [sentence] });
}

function refused(status, answer) {
  busy(false);
  if (status === 401 || status === 403) look();
  if (status === 422 && answer.errors) showErrors(answer.errors);
  else if (answer.error && status !== 401) failed(answer.error);
  else if (status === 401) failed(`You are signed out. Sign in in another tab, then press Upload again. ${GOES_ON}`);
  else if (status === 403) failed(`That was not allowed: your role may have changed, or you have signed in anew meanwhile. Press Upload to try again. ${GOES_ON}`);
  else failed(`The server answered ${status}. Press Upload to try again. ${GOES_ON}`);
}

async function post(address, fields) {
  const body = new FormData();
  body.append("csrfmiddlewaretoken", token());
  body.append("team", form.elements.team.value);
  body.append("name", name.value);
  for (const [key, value] of fields) body.append(key, value);
  const response = await fetch(address, { method: "POST", body, headers: { Accept: "application/json" } });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) refused(response.status, answer);
  return response.ok ? answer : null;
}

let started = null; // {at, bytes}: what an earlier try has sent says nothing about the speed now
function progressed(sent, total) {
  started ??= { at: performance.now(), bytes: sent };
  words.textContent = "Uploading";
  bar.value = sent / total;
  const seconds = (performance.now() - started.at) / 1000;
  const speed = (sent - started.bytes) / seconds;
  const left = seconds > 2 && speed > 0 && sent < total ? `, ${duration((total - sent) / speed)} left` : "";
  figures.textContent = `${size(sent)} of ${size(total)}${left}`;
}

function waiting() {
  words.textContent = "The connection broke; trying again";
  started = null;
}

let leaving = false;
window.addEventListener("beforeunload", (event) => {
  if (leaving) event.preventDefault();
});

async function upload(files) {
  const heads = await Promise.all(files.map(announce));
  if (!(await post(form.dataset.check, [["announced", JSON.stringify(heads)]]))) return;
  sending = sendFiles(files, { address: form.dataset.uploads, purpose: "data", token: token(), underWay, progressed, waiting });
  const received = await sending.done;
  words.textContent = "The server is storing the files";
  bar.removeAttribute("value");
  const answer = await post(form.action, received.map((id) => ["received", id]));
  if (!answer) return;
  leaving = false;
  window.location.assign(answer.url);
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const files = [...input.files];
  if (files.reduce((sum, file) => sum + file.size, 0) > limit) return listChosen();
  showErrors({});
  started = null;
  words.textContent = "Uploading";
  figures.textContent = "";
  bar.value = 0;
  busy(true);
  leaving = true;
  try {
    await upload(files);
  } catch (error) {
    if (error instanceof Stopped) busy(false);
    else if (error instanceof NotSent) error.sentence ? failed(error.sentence) : refused(error.status, {});
    else failed(`The connection broke. Press Upload to try again. ${GOES_ON}`);
  } finally {
    leaving = false;
    sending = null;
  }
});
stop.addEventListener("click", () => sending?.stop());
