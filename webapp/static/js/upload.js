// The upload form, made comfortable: drag and drop, a progress bar, and the chosen files survive a refusal.
// Without this script the form is an ordinary one and works the same.

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
const limit = Number(form.dataset.max);
let request = null;

const size = (bytes) => {
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  let unit = 0;
  while (bytes >= 1000 && unit < units.length - 1) {
    bytes /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? bytes : bytes.toFixed(bytes < 10 ? 1 : 0)} ${units[unit]}`;
};
const duration = (seconds) => {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
};

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

function finished() {
  let answer = {};
  try {
    answer = JSON.parse(request.responseText);
  } catch {
    // not ours: a proxy's page, or our own for a body that is too large
  }
  if (request.status === 201) {
    leaving = false;
    window.location.assign(answer.url);
  } else if (request.status === 422 && answer.errors) {
    busy(false);
    showErrors(answer.errors);
  } else if (request.status === 413) failed(`That is too large: at most ${size(limit)} in all, or less if a proxy in between says so.`);
  else if (request.status === 507) failed("The server's disk has too little room for these files.");
  else if (request.status === 401) failed("You are signed out. Sign in in another tab, then press Upload again.");
  else if (request.status === 403) failed("That was not allowed: your role may have changed, or the form is too old. Reload the page.");
  else failed(`The server answered ${request.status}. Try again; nothing was kept.`);
}

let leaving = false;
window.addEventListener("beforeunload", (event) => {
  if (leaving) event.preventDefault();
});

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const total = [...input.files].reduce((sum, file) => sum + file.size, 0);
  if (total > limit) return listChosen();
  showErrors({});
  request = new XMLHttpRequest();
  request.open("POST", form.action);
  request.setRequestHeader("Accept", "application/json");
  const start = performance.now();
  request.upload.addEventListener("progress", (progress) => {
    if (!progress.lengthComputable) return;
    const share = progress.loaded / progress.total;
    bar.value = share;
    const seconds = (performance.now() - start) / 1000;
    const left = seconds > 2 && share < 1 ? `, ${duration((seconds / share) * (1 - share))} left` : "";
    figures.textContent = `${size(progress.loaded)} of ${size(progress.total)}${left}`;
  });
  request.upload.addEventListener("load", () => {
    words.textContent = "The server is storing the files";
    bar.removeAttribute("value");
  });
  request.addEventListener("load", () => {
    leaving = false;
    finished();
  });
  request.addEventListener("error", () => {
    leaving = false;
    failed("The connection broke. Your files are still chosen: press Upload to try again.");
  });
  request.addEventListener("abort", () => {
    leaving = false;
    busy(false);
  });
  words.textContent = "Uploading";
  figures.textContent = "";
  bar.value = 0;
  busy(true);
  leaving = true;
  request.send(new FormData(form));
});
stop.addEventListener("click", () => request?.abort());
