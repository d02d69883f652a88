// Shock and recovery of every birth: from its best parent down to the shock, and up again to the full-grown network; with
// the means of every generation.

import { percent } from "./format.js";
import { axis, colours, percentTicks, tooltip } from "./look.js";

const ROOM = 0.62; // of a generation's width, over which its births are spread
const MANY = 240; // births, from which on dots and lines are drawn finer

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
    if (!this.chart) this.chart = new window.Chart(this.canvas, { type: "scatter", data: { datasets }, options, plugins: [falls(() => this.births, colours)] });
    else {
      datasets.forEach((set, i) => Object.assign(this.chart.data.datasets[i], set));
      this.chart.options = options;
    }
    this.chart.update();
  }

  datasets(data, c) {
    this.births = births(data.networks);
    const many = this.births.length > MANY;
    const dots = (key) => this.births.filter((birth) => birth[key] != null).map((birth) => ({ x: birth.x, y: birth[key], name: birth.name }));
    const means = (key) => data.generations.filter((g) => g[key] != null).map((g) => ({ x: g.generation, y: g[key] }));
    const line = (points, colour, dash) => ({ type: "line", data: points, borderColor: colour, borderWidth: 2, borderDash: dash, pointRadius: 0, pointHitRadius: 0, pointHoverRadius: 0 });
    const dot = (points, colour) => ({ data: points, pointHitRadius: 10, pointHoverBackgroundColor: colour, ...(many ? crowded(colour) : alone(colour, c.card)) });
    return [dot(dots("shock"), c.stress), dot(dots("accuracy"), c.accent), line(means("shock"), c.stress, [5, 4]), line(means("accuracy"), c.accent, [])];
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

const alone = (colour, edge) => ({ pointRadius: 4, pointBackgroundColor: colour, pointBorderColor: edge, pointBorderWidth: 1 });
// Thousands of dots are squares, drawn far faster than circles, and let through what lies below; the means lie above.
const crowded = (colour) => ({ order: 1, pointStyle: "rect", pointRadius: 2, pointBackgroundColor: `${colour}55`, pointBorderWidth: 0 });

// Each birth that was cut: where it stands (siblings side by side), its best parent's accuracy, its shock and its own.
function births(networks) {
  const byName = new Map(networks.map((network) => [network.name, network]));
  const siblings = new Map();
  for (const network of networks) {
    if (network.generation > 0 && (network.shock != null || network.accuracy != null)) {
      siblings.set(network.generation, [...(siblings.get(network.generation) ?? []), network]);
    }
  }
  return [...siblings].flatMap(([generation, born]) =>
    born.map((network, i) => {
      const known = network.parents.map((name) => byName.get(name)?.accuracy).filter((value) => value != null);
      const x = generation + (born.length > 1 ? (i / (born.length - 1) - 0.5) * ROOM : 0);
      return { x, name: network.name, shock: network.shock, accuracy: network.accuracy, parent: known.length ? Math.max(...known) : null };
    }),
  );
}

// The fall to the shock (dashed) and the way up from it, below the dots.
function falls(read, look) {
  return {
    id: "falls",
    beforeDatasetsDraw({ ctx, scales, chartArea: area }) {
      const all = read();
      const c = look();
      const stroke = (from, to, colour, dash) => {
        ctx.strokeStyle = colour;
        ctx.setLineDash(dash);
        ctx.beginPath();
        for (const birth of all) {
          if (birth[from] == null || birth[to] == null) continue;
          const x = scales.x.getPixelForValue(birth.x);
          ctx.moveTo(x, scales.y.getPixelForValue(birth[from]));
          ctx.lineTo(x, scales.y.getPixelForValue(birth[to]));
        }
        ctx.stroke();
      };
      ctx.save();
      ctx.beginPath();
      ctx.rect(area.left, area.top - 6, area.width, area.height + 6);
      ctx.clip();
      ctx.lineWidth = all.length > MANY ? 1 : 1.5;
      ctx.globalAlpha = all.length > MANY ? 0.15 : 0.7;
      stroke("parent", "shock", c.stress, all.length > MANY ? [] : [3, 3]); // so many dashes are no dashes, only slow
      stroke("shock", "accuracy", c.accent, []);
      ctx.restore();
    },
  };
}
