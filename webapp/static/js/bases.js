// Networks and weights of the team's own: sent in pieces from their list, and waited for while a worker looks into them.

import { isSending, sendBase } from "./base-sending.js";
import { look } from "./signed-out.js";

export async function waitForBase(address, told) {
  for (let wait = 800; ; wait = Math.min(wait * 1.4, 5000)) {
    try {
      const response = await fetch(address, { headers: { Accept: "application/json" } });
      if (response.status === 401) look(); // and ask on: she may sign in elsewhere
      else if (!response.ok && response.status < 500) return;
      if (response.ok) {
        const base = await response.json();
        told(base);
        if (base.settled) return;
      }
    } catch {
      // the server is away for a moment
    }
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
}

const form = document.getElementById("base-upload");
if (form) {
  const { file, kind } = form.elements;
  const button = form.querySelector("[type=submit]");
  file.addEventListener("change", () => {
    if (file.files[0]) kind.value = /\.onnx$/i.test(file.files[0].name) ? "onnx" : "safetensors";
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const states = form.querySelector("[data-states]");
    states.replaceChildren();
    button.disabled = true;
    const addresses = { ...form.dataset, add: form.getAttribute("action") };
    const sent = await sendBase(file.files[0], { kind: kind.value, addresses, form, states });
    button.disabled = false;
    if (sent) location.reload(); // its row says what the worker finds
  });
}

// On the list of files, a row that was waiting is drawn anew by the server once its file has been looked into.
if (!document.getElementById("run-form")) {
  for (const cell of document.querySelectorAll("[data-waits]")) {
    waitForBase(cell.dataset.waits, (base) => base.settled && !isSending() && location.reload());
  }
}
