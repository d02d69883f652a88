// A comparison's charts. All state is in the address, and switches are links: the page only paints.

import { ask } from "./asking.js";
import { curves, tradeoff } from "./charts/compare.js";
import { svgOf } from "./charts/drawing.js";
import { prepare } from "./charts/look.js";
import { offer } from "./keeping.js";

const root = document.getElementById("compare-charts");
const drawn = new Map();

function draw(name, data, filled, paint) {
  const canvas = document.getElementById(`${name}-chart`);
  const place = canvas.parentElement;
  place.classList.toggle("empty", !filled);
  place.querySelector(".chart-empty").hidden = filled;
  drawn.get(name)?.destroy();
  if (filled) drawn.set(name, paint(canvas, data));
  offer(name, () => svgOf(drawn.get(name)));
}

function drawAll(data) {
  draw("curves", data, data.entries.some((entry) => entry.curve.length), curves);
  draw("tradeoff", data, data.runs.some((run) => run.front.length), tradeoff);
}

if (root) {
  prepare();
  const response = await ask(root.dataset.chart + location.search, "application/json");
  if (response?.ok) {
    const data = await response.json();
    drawAll(data);
    document.addEventListener("eustress:theme", () => drawAll(data));
  }
}
