// A comparison's charts. All state is in the address, and switches are links: the page only paints.

import { curves, tradeoff } from "./charts/compare.js";
import { prepare } from "./charts/look.js";

const root = document.getElementById("compare-charts");
let drawn = [];

function draw(canvas, filled, paint) {
  const place = canvas.parentElement;
  place.classList.toggle("empty", !filled);
  place.querySelector(".chart-empty").hidden = filled;
  if (filled) drawn.push(paint());
}

function drawAll(data) {
  for (const chart of drawn) chart.destroy();
  drawn = [];
  const [line, scatter] = ["curves-chart", "tradeoff-chart"].map((id) => document.getElementById(id));
  draw(line, data.entries.some((entry) => entry.curve.length), () => curves(line, data));
  draw(scatter, data.runs.some((run) => run.front.length), () => tradeoff(scatter, data));
}

if (root) {
  prepare();
  const response = await fetch(root.dataset.chart + location.search, { headers: { Accept: "application/json" } });
  if (response.ok) {
    const data = await response.json();
    drawAll(data);
    document.addEventListener("eustress:theme", () => drawAll(data));
  }
}
