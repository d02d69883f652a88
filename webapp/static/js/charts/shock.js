// Shock and recovery: each network right after its cut and full-grown, with the means of every generation.

import { percent } from "./format.js";
import { axis, colours, percentTicks, tooltip } from "./look.js";

export class ShockChart {
  constructor(canvas, page) {
    this.canvas = canvas;
    this.page = page;
    this.chart = null;
  }

  draw() {
    const { data } = this.page;
    const c = colours();
    const datasets = this.datasets(data, c);
    const options = this.options(data, c);
    if (!this.chart) this.chart = new window.Chart(this.canvas, { type: "scatter", data: { datasets }, options });
    else {
      datasets.forEach((set, i) => Object.assign(this.chart.data.datasets[i], set));
      this.chart.options = options;
    }
    this.chart.update(this.page.quiet ? "none" : undefined);
  }

  datasets(data, c) {
    const born = data.networks.filter((network) => network.generation > 0);
    const dots = (key, shift) => born.filter((n) => n[key] != null).map((n) => ({ x: n.generation + shift, y: n[key], name: n.name }));
    const means = (key, shift) => data.generations.filter((g) => g[key] != null).map((g) => ({ x: g.generation + shift, y: g[key] }));
    const line = (points, colour, dash) => ({ type: "line", data: points, borderColor: colour, borderWidth: 2, borderDash: dash, pointRadius: 0, pointHitRadius: 0, pointHoverRadius: 0 });
    const dot = (points, colour) => ({ data: points, pointRadius: 4, pointHitRadius: 10, pointBackgroundColor: colour, pointHoverBackgroundColor: colour, pointBorderColor: c.card, pointBorderWidth: 1 });
    return [
      dot(dots("shock", -0.07), c.stress),
      dot(dots("accuracy", 0.07), c.accent),
      line(means("shock", -0.07), c.stress, [5, 4]),
      line(means("accuracy", 0.07), c.accent, []),
    ];
  }

  options(data, c) {
    const last = Math.max(1, ...data.networks.map((network) => network.generation));
    const narrow = this.canvas.parentElement.clientWidth < 420;
    return {
      layout: { padding: { top: 4, right: 8 } },
      onClick: (_event, hits) => {
        const point = hits.length && this.chart.data.datasets[hits[0].datasetIndex].data[hits[0].index];
        if (point?.name) this.page.select(point.name);
      },
      plugins: {
        tooltip: {
          ...tooltip(c),
          filter: (item) => item.datasetIndex < 2,
          callbacks: { title: (items) => items[0]?.raw.name, label: (item) => `${percent(item.raw.y)} ${item.datasetIndex ? "full-grown" : "right after the cut"}` },
        },
        zoom: { zoom: { drag: { enabled: false } } },
      },
      scales: {
        x: axis(c, {
          type: "linear",
          min: 0.5,
          max: last + 0.5,
          grid: { display: false },
          title: "generation",
          afterBuildTicks: (scale) => {
            const step = Math.ceil(last / (narrow ? 6 : 10));
            scale.ticks = Array.from({ length: Math.ceil(last / step) }, (_, i) => ({ value: 1 + i * step }));
          },
          ticks: { autoSkip: false, maxRotation: 0, callback: (v) => v },
        }),
        y: axis(c, { grace: "8%", ticks: { maxTicksLimit: 5, callback: percentTicks } }),
      },
    };
  }
}
