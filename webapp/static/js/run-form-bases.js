// Own networks and weights in the run form: sent as soon as they are chosen, and watched until they are ready.

import { sendBase } from "./base-sending.js";
import { waitForBase } from "./bases.js";

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
    input.value = ""; // it must not be sent a second time with the form
    const sent = await sendBase(file, { kind: place.dataset.base, addresses: place.dataset, form, states });
    if (sent) follow(sent.line, `${place.dataset.add.replace(/add\/$/, "")}${sent.answer.id}.json`);
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
