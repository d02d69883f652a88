// The trade-off: accuracy against a cost on a logarithmic axis, smaller to the right, with the Pareto front that the
// server found and the band of what is within the allowed drop. Zooming is brushing: the table follows.

import { costs, percent, times } from "./format.js";
import { axis, colours, percentTicks, rings, tooltip } from "./look.js";

const band = {
  id: "band",
  beforeDatasetsDraw(chart) {
    const threshold = chart.$threshold;
    if (threshold == null) return;
    const { ctx, chartArea: area, scales } = chart;
    const y = Math.max(area.top, Math.min(area.bottom, scales.y.getPixelForValue(threshold)));
    if (y <= area.top) return;
    ctx.save();
    ctx.fillStyle = chart.$colours["accent-soft"];
    ctx.globalAlpha = 0.55;
    ctx.fillRect(area.left, area.top, area.right - area.left, y - area.top);
    ctx.restore();
  },
};

export class TradeoffChart {
  constructor(canvas, page) {
    this.canvas = canvas;
    this.page = page;
    this.chart = null;
    canvas.addEventListener("keydown", (event) => this.key(event));
  }

  draw() {
    const { data, view } = this.page;
    const c = colours();
    const known = data.networks.filter((network) => network.accuracy != null && network[view.cost] != null);
    const datasets = [this.points(data, view, c), this.front(data, view, c)];
    const options = this.options(data, view, known, c);
    if (!this.chart) {
      this.chart = new window.Chart(this.canvas, {
        type: "scatter",
        data: { datasets },
        options,
        plugins: [band, rings(() => this.page.marks())],
      });
    } else {
      datasets.forEach((set, i) => Object.assign(this.chart.data.datasets[i], set));
      const { min, max } = this.chart.scales.x;
      const zoomed = this.view === view.cost && this.chart.isZoomedOrPanned?.() ? { x: { min, max }, y: { min: this.chart.scales.y.min, max: this.chart.scales.y.max } } : null;
      if (this.view !== view.cost) this.chart.resetZoom?.("none");
      if (zoomed) {
        Object.assign(options.scales.x, zoomed.x);
        Object.assign(options.scales.y, zoomed.y);
      }
      this.chart.options = options;
    }
    this.view = view.cost;
    this.chart.$colours = c;
    this.chart.$threshold = data.threshold;
    this.chart.update(this.page.quiet ? "none" : undefined);
  }

  points(data, view, c) {
    const path = new Set(data.path);
    const fills = data.networks.map((_, i) => (i === data.ancestor ? c.ancestor : path.has(i) ? c.accent : c.other));
    return {
      data: data.networks.map((network) => ({ x: network[view.cost] ?? NaN, y: network.accuracy ?? NaN })),
      pointRadius: data.networks.map((_, i) => (path.has(i) || i === data.ancestor ? 6 : 4.5)),
      pointHoverRadius: 8,
      pointHitRadius: 12,
      pointBackgroundColor: fills,
      pointHoverBackgroundColor: fills,
      pointBorderColor: c.card,
      pointHoverBorderColor: c.ink,
      pointBorderWidth: 1.5,
    };
  }

  front(data, view, c) {
    const front = data.fronts[view.cost] ?? [];
    return {
      type: "line",
      data: front.map((i) => ({ x: data.networks[i][view.cost], y: data.networks[i].accuracy })),
      borderColor: c.accent,
      borderWidth: 1.75,
      pointRadius: 0,
      pointHitRadius: 0,
      pointHoverRadius: 0,
      tension: 0,
    };
  }

  options(data, view, known, c) {
    const narrow = this.canvas.parentElement.clientWidth < 420;
    const cost = costs[view.cost];
    const values = known.map((network) => network[view.cost]);
    const [low, high] = values.length ? [Math.min(...values), Math.max(...values)] : [1, 10];
    const layout = data.layouts.accuracy;
    return {
      layout: { padding: { top: 8, right: 24 } },
      onHover: (_event, hits) => this.page.highlight(this.hit(hits), this),
      onClick: (_event, hits) => this.hit(hits) && this.page.select(this.hit(hits)),
      plugins: {
        tooltip: {
          ...tooltip(c),
          filter: (item) => item.datasetIndex === 0,
          callbacks: {
            title: (items) => items[0] && this.page.data.networks[items[0].dataIndex].name,
            label: (item) => this.lines(item.dataIndex),
          },
        },
        zoom: {
          limits: { x: { min: low / 3, max: high * 3 }, y: { min: 0, max: 1.01 } },
          zoom: {
            mode: "xy",
            drag: { enabled: true, threshold: 8, backgroundColor: `${c.accent}22`, borderColor: c.accent, borderWidth: 1 },
            wheel: { enabled: true, modifierKey: "ctrl", speed: 0.05 },
            onZoomComplete: () => this.page.brushed(),
          },
        },
      },
      scales: {
        x: axis(c, {
          type: "logarithmic",
          reverse: true,
          min: low / 1.35,
          max: high * 1.35,
          grid: { display: false },
          afterBuildTicks: (scale) => (scale.ticks = logTicks(scale.min, scale.max, narrow ? 4 : 5)),
          ticks: { maxRotation: 0, autoSkip: false, callback: (v) => cost.tick(v) },
        }),
        y: axis(c, { min: layout.low, max: layout.high, ticks: { maxTicksLimit: narrow ? 5 : 8, includeBounds: false, callback: percentTicks } }),
      },
    };
  }

  hit(hits) {
    const found = hits.find((hit) => hit.datasetIndex === 0);
    return found ? this.page.data.networks[found.index].name : null;
  }

  lines(index) {
    const network = this.page.data.networks[index];
    const cost = costs[this.page.view.cost];
    return [`${percent(network.accuracy)} ${this.page.data.metric}`, `${cost.value(network[this.page.view.cost])} ${cost.label}${network.smaller > 1 ? ` (${times(network.smaller)} smaller)` : ""}`];
  }

  // What is in view after zooming: {x: [low, high], y: [low, high]}, or null for all.
  range() {
    if (!this.chart?.isZoomedOrPanned?.()) return null;
    const { x, y } = this.chart.scales;
    return { x: [x.min, x.max], y: [y.min, y.max] };
  }

  restore(range) {
    this.chart.zoomScale("x", { min: range.x[0], max: range.x[1] }, "none");
    this.chart.zoomScale("y", { min: range.y[0], max: range.y[1] }, "none");
  }

  zoom(how) {
    if (how === "all") this.chart.resetZoom();
    else this.chart.zoom(how === "in" ? 1.4 : 1 / 1.4);
    this.page.brushed();
  }

  show(index) {
    if (!this.chart) return;
    this.chart.setActiveElements(index == null || this.page.data.networks[index].accuracy == null ? [] : [{ datasetIndex: 0, index }]);
    this.chart.update("none");
  }

  key(event) {
    const hows = { "+": "in", "=": "in", "-": "out", 0: "all" };
    if (event.key in hows && !event.ctrlKey && !event.metaKey) this.zoom(hows[event.key]);
  }
}

// Round ticks for a logarithmic axis: 1, 2, 5 of each power of ten; fewer where there would be too many.
function logTicks(low, high, most) {
  for (const steps of [[1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9], [1, 2, 3, 5, 7], [1, 2, 5], [1, 3], [1]]) {
    const ticks = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++) {
      for (const step of steps) {
        const value = Number((step * 10 ** power).toPrecision(3));
        if (value >= low && value <= high) ticks.push({ value });
      }
    }
    if (ticks.length <= most) return ticks;
    if (steps.length === 1) return ticks.filter((_, i) => i % Math.ceil(ticks.length / most) === 0);
  }
  return [];
}
