// Own networks and weights in the run form: sent as soon as they are chosen, and watched until they are ready.

import { waitForBase } from "./bases.js";

const refusals = {
  401: "you are signed out; sign in in another tab, then choose the file again",
  403: "that was not allowed: your role may have changed, or the form is too old; reload the page",
  413: "it is larger than this server takes",
  507: "the server's disk has too little room for it",
};

export function watchBases(form) {
  for (const place of form.querySelectorAll("[data-base]")) watch(form, place);
}

function watch(form, place) {
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
