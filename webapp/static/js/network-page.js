// A network that lives, or whose ONNX form is being made: its page asks for itself until nothing more will change.

import { localClocks } from "./clock.js";
import "./keeping.js";
import "./predictions.js";

const PACE = 3000;

async function refresh() {
  const present = document.getElementById("network");
  const address = present?.dataset.refresh;
  if (!address) return;
  try {
    const response = await fetch(address, { headers: { Accept: "text/html" } });
    if ([401, 403, 404, 410].includes(response.status)) return;
    if (response.ok) {
      const fresh = new DOMParser().parseFromString(await response.text(), "text/html").getElementById("network");
      const busy = present.contains(document.activeElement) && document.activeElement !== document.body;
      if (fresh) localClocks(fresh); // before the comparison: the page shows local times too
      if (fresh && !busy && fresh.innerHTML !== present.innerHTML) {
        const open = [...present.querySelectorAll("details")].map((details) => details.open);
        const adopted = document.importNode(fresh, true);
        adopted.querySelectorAll("details").forEach((details, i) => i in open && (details.open = open[i]));
        present.replaceWith(adopted);
      }
    }
  } catch {
    // the server is away for a moment
  }
  setTimeout(refresh, document.hidden ? PACE * 4 : PACE);
}

setTimeout(refresh, PACE);
