// Progress: how much the Pareto front has gained, generation by generation, as its hypervolume.

import { measures } from "../explore/measures.js";
import { axis, colours, tooltip } from "./look.js";

export class ProgressChart {
  constructor(canvas) {
    this.canvas = canvas;
    this.chart = null;
  }

  draw(data, view) {
    const c = colours();
    const volumes = data.hypervolumes[view.cost] ?? [];
    const set = { data: volumes.map((y, x) => ({ x, y })), borderColor: c.accent, borderWidth: 2, pointRadius: volumes.length > 20 ? 0 : 3.5, pointHitRadius: 12, pointBackgroundColor: c.accent, clip: 8 };
    const options = {
      plugins: {
        tooltip: {
          ...tooltip(c),
          callbacks: { title: (items) => `generation ${items[0].parsed.x}`, label: (item) => `hypervolume ${item.parsed.y.toFixed(3)}, ${measures[view.cost].label}` },
        },
      },
      scales: {
        x: axis(c, { type: "linear", min: 0, max: Math.max(1, volumes.length - 1), grid: { display: false }, title: "generation", ticks: { precision: 0, maxRotation: 0 } }),
        y: axis(c, { min: 0, grace: "8%", ticks: { maxTicksLimit: 5 } }),
      },
    };
    if (!this.chart) this.chart = new window.Chart(this.canvas, { type: "line", data: { datasets: [set] }, options });
    else {
      Object.assign(this.chart.data.datasets[0], set);
      this.chart.options = options;
    }
    this.chart.update();
  }
}
