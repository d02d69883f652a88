// The lineage: generation by accuracy or size, every parent's edge drawn, positions as the server computed them.

import { costs, count, percent, times } from "./format.js";
import { axis, colours, percentTicks, rings, tooltip } from "./look.js";

export class LineageChart {
  constructor(canvas, page) {
    this.canvas = canvas;
    this.page = page; // { data, view, open(name), highlight(name), marks() }
    this.chart = null;
    canvas.addEventListener("keydown", (event) => this.key(event));
  }

  draw() {
    const { data, view } = this.page;
    const c = colours();
    const layout = data.layouts[view.height];
    const set = this.dataset(data, layout, c);
    const options = this.options(data, layout, c);
    if (!this.chart) {
      this.chart = new window.ChartGraphs.GraphChart(this.canvas, {
        data: { labels: [], datasets: [set] },
        options,
        plugins: [rings(() => this.page.marks())],
      });
    } else {
      Object.assign(this.chart.data.datasets[0], set);
      this.chart.options = options;
    }
    this.chart.$colours = c;
    this.chart.data.labels = data.networks.map((network) => network.name);
    this.chart.update(this.page.quiet ? "none" : undefined);
  }

  dataset(data, layout, c) {
    const networks = data.networks;
    const path = new Set(data.path);
    const pathEdges = new Set(data.path_edges);
    const ancestor = data.ancestor == null ? null : networks[data.ancestor];
    const largest = Math.max(9, Math.min(17, this.canvas.parentElement.clientWidth / 34));
    const open = (network) => network.state === "living" || network.state === "waiting";
    const lost = (network) => network.state === "refused" || network.state === "errored" || network.state === "cancelled";
    const fill = (network, i) => (i === data.ancestor ? c.ancestor : path.has(i) ? c.accent : c.other);
    const fills = networks.map((network, i) => (open(network) ? c.card : fill(network, i)));
    const radius = (network) => {
      if (lost(network)) return 5;
      if (!network.parameters || !ancestor?.parameters) return network === ancestor ? largest * 0.7 : 5;
      return Math.max(4, largest * Math.sqrt(Math.min(1.3, network.parameters / ancestor.parameters)));
    };
    return {
      data: layout.points.map(([x, y]) => ({ x, y })),
      edges: data.edges.map(([source, target]) => ({ source, target })),
      pointRadius: networks.map(radius),
      pointHoverRadius: networks.map((network) => radius(network) + 2),
      pointHitRadius: 12,
      pointStyle: networks.map((network) => (lost(network) ? "crossRot" : "circle")),
      pointBackgroundColor: fills,
      pointHoverBackgroundColor: fills,
      pointBorderColor: networks.map((network) => (open(network) ? c.stress : lost(network) ? c.lost : c.card)),
      pointHoverBorderColor: c.ink,
      pointBorderWidth: networks.map((network) => (open(network) || lost(network) ? 2.5 : 1.5)),
      edgeLineBorderColor: data.edges.map((_, i) => (pathEdges.has(i) ? c.accent : c.other)),
      edgeLineBorderWidth: data.edges.map((_, i) => (pathEdges.has(i) ? 2.5 : 1)),
      edgeLineBorderDash: (context) => (open(networks[data.edges[context.dataIndex]?.[1]] ?? {}) ? [3, 4] : []),
      edgeLineTension: 0.5,
    };
  }

  options(data, layout, c) {
    const narrow = this.canvas.parentElement.clientWidth < 520;
    const generations = Math.max(1, ...data.networks.map((network) => network.generation));
    const byAccuracy = this.page.view.height === "accuracy";
    return {
      layout: { padding: { top: 8, right: 10 } },
      onHover: (_event, hits) => this.page.highlight(hits.length ? data.networks[hits[0].index].name : null, this),
      onClick: (_event, hits) => hits.length && this.page.open(data.networks[hits[0].index].name),
      plugins: {
        tooltip: {
          ...tooltip(c),
          callbacks: { title: (items) => items[0] && this.page.data.networks[items[0].dataIndex].name, label: (item) => this.lines(item.dataIndex) },
        },
        zoom: { zoom: { wheel: { enabled: false }, drag: { enabled: false } } },
      },
      scales: {
        x: axis(c, {
          type: "linear",
          min: -0.45,
          max: generations + 0.45,
          grid: { display: false },
          ticks: {
            stepSize: Math.ceil(generations / (narrow ? 6 : 12)),
            autoSkip: false,
            maxRotation: 0,
            maxTicksLimit: 60,
            precision: 0,
            callback: (v) => (!Number.isInteger(v) || v < 0 || v > generations ? "" : v === 0 ? "ancestor" : narrow || generations > 6 ? v : `generation ${v}`),
          },
          afterBuildTicks: (scale) => {
            const step = Math.ceil(generations / (narrow ? 6 : 12));
            scale.ticks = Array.from({ length: Math.floor(generations / step) + 1 }, (_, i) => ({ value: i * step }));
          },
          title: narrow || generations > 6 ? "generation" : "",
        }),
        y: axis(c, {
          type: "linear",
          min: layout.low,
          max: layout.high,
          ticks: {
            maxTicksLimit: narrow ? 5 : 8,
            precision: undefined,
            includeBounds: false,
            callback: byAccuracy ? percentTicks : (v) => costs.parameters.tick(Number((10 ** v).toPrecision(2))),
          },
        }),
      },
    };
  }

  lines(index) {
    const network = this.page.data.networks[index];
    const lines = [];
    if (network.accuracy != null) lines.push(`${percent(network.accuracy)} ${this.page.data.metric}${network.shock == null ? "" : `, shock ${percent(network.shock)}`}`);
    if (network.parameters != null) lines.push(`${count(network.parameters)} parameters${network.smaller > 1 ? `, ${times(network.smaller)} smaller` : ""}`);
    if (network.state !== "measured") lines.push(network.state === "living" ? `in training, ${percent(network.progress, 0)}` : network.state);
    if (network.parents.length) lines.push(`child of ${network.parents.join(" and ")}`);
    return lines;
  }

  show(index) {
    if (!this.chart) return;
    const active = index == null ? [] : [{ datasetIndex: 0, index }];
    this.chart.setActiveElements(active);
    this.chart.update("none");
  }

  key(event) {
    const { networks } = this.page.data ?? {};
    if (!networks?.length) return;
    const at = networks.findIndex((network) => network.name === this.page.focused);
    const steps = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
    if (event.key in steps) {
      const next = Math.max(0, Math.min(networks.length - 1, at + steps[event.key]));
      event.preventDefault();
      this.page.highlight(networks[next].name, null);
      this.page.announce(`${networks[next].name}: ${this.lines(next).join(", ")}`);
    } else if (event.key === "Enter" && at >= 0) {
      this.page.open(networks[at].name);
    }
  }
}
