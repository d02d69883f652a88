// The run's page: charts, table and panels that know of each other; the view's state lives in the address.

import { LineageChart } from "./charts/lineage.js";
import { prepare } from "./charts/look.js";
import { ShockChart } from "./charts/shock.js";
import { TradeoffChart } from "./charts/tradeoff.js";
import { localClocks } from "./clock.js";
import { LiveFeed } from "./live.js";
import { remember, replaceParts } from "./parts.js";

const PACE = 1000; // milliseconds between two refreshes at least
const SLOW_PACE = 6000; // while only progress moves
const QUIET = new Set(["progress", "epoch"]); // what the bars of living networks show already

class RunPage {
  constructor(root) {
    this.root = root;
    this.data = null;
    this.focused = null;
    this.quiet = false;
    this.readAddress();
    prepare();
    this.lineage = new LineageChart(document.getElementById("lineage-chart"), this);
    this.tradeoff = new TradeoffChart(document.getElementById("tradeoff-chart"), this);
    this.shock = new ShockChart(document.getElementById("shock-chart"), this);
    this.listen();
    remember(root);
  }

  async start() {
    await this.loadChart();
    const zoom = this.view.zoom.split(",").map(Number);
    if (this.tradeoff.chart && zoom.length === 4 && zoom.every(Number.isFinite)) this.tradeoff.restore({ x: zoom.slice(0, 2), y: zoom.slice(2) });
    this.brush();
    if ("ended" in this.root.dataset) return;
    const handlers = {
      changed: (event) => this.refreshSoon(QUIET.has(event.kind) ? SLOW_PACE : PACE),
      living: (networks) => this.showLives(networks),
      ended: () => this.refreshSoon(0),
    };
    const { events, eventsJson, last } = this.root.dataset;
    new LiveFeed({ events, eventsJson, last: Number(last), handlers }).start();
  }

  // -- the address

  readAddress() {
    const query = new URLSearchParams(location.search);
    const one = (name, known, fallback) => (known.includes(query.get(name)) ? query.get(name) : fallback);
    this.view = {
      height: one("height", ["accuracy", "size"], "accuracy"),
      cost: one("cost", ["parameters", "macs", "bytes", "memory", "latency"], "parameters"),
      network: query.get("network") ?? "",
      zoom: query.get("zoom") ?? "",
    };
  }

  setAddress(changes) {
    const query = new URLSearchParams(location.search);
    for (const [name, value] of Object.entries(changes)) {
      if (value) query.set(name, value);
      else query.delete(name);
    }
    const text = query.toString();
    history.replaceState(null, "", text ? `?${text}` : location.pathname);
    this.readAddress();
  }

  // -- what comes from the server

  async loadChart() {
    const response = await fetch(this.root.dataset.chart + location.search, { headers: { Accept: "application/json" } });
    if (!response.ok) return;
    this.data = await response.json();
    this.drawAll();
  }

  drawAll() {
    if (!this.data) return;
    const measured = this.data.networks.some((network) => network.accuracy != null);
    const cut = this.data.networks.some((network) => network.shock != null);
    this.drawOne(this.lineage, measured);
    this.drawOne(this.tradeoff, measured);
    this.drawOne(this.shock, cut);
    this.brush();
  }

  // A chart without a single point says when the first will come, instead of showing empty axes.
  drawOne(chart, filled) {
    const place = chart.canvas.parentElement;
    place.classList.toggle("empty", !filled);
    const note = place.querySelector(".chart-empty");
    note.hidden = filled;
    if (!filled && this.data.ended) note.textContent = "Nothing was measured in this run.";
    if (filled) chart.draw();
    if (chart === this.tradeoff) this.root.querySelector("[data-zoom-buttons]").hidden = !filled;
  }

  async loadParts() {
    const response = await fetch(this.root.dataset.live + location.search, { headers: { Accept: "text/html" } });
    if (!response.ok) return;
    if (replaceParts(await response.text()).includes("run-log")) localClocks(this.root);
    this.brush();
    this.markRow();
  }

  // One refresh at a time, and no more than one a PACE, however many events arrive.
  refreshSoon(pace) {
    const due = Math.max(0, (this.refreshed ?? 0) + pace - Date.now());
    if (this.timer && this.due <= Date.now() + due) return;
    clearTimeout(this.timer);
    this.due = Date.now() + due;
    this.timer = setTimeout(() => this.refresh(), due);
  }

  async refresh() {
    this.timer = null;
    this.refreshed = Date.now();
    this.quiet = true;
    try {
      await Promise.all([this.loadParts(), this.loadChart()]);
    } catch {
      this.refreshSoon(SLOW_PACE); // the server is away for a moment
    } finally {
      this.quiet = false;
    }
  }

  showLives(networks) {
    const rows = [...document.querySelectorAll("[data-life]")];
    const same = rows.length === networks.length && networks.every((network, i) => rows[i].dataset.life === network.name);
    if (!same) return this.refreshSoon(PACE);
    networks.forEach((network, i) => {
      const percent = Math.round(network.progress * 100);
      rows[i].querySelector("rect").setAttribute("width", `${percent}%`);
      rows[i].querySelector("[data-doing]").textContent = network.doing;
      rows[i].querySelector("[data-percent]").textContent = network.speed ? `${percent} %, ${network.speed}` : `${percent} %`;
    });
    this.refreshSoon(SLOW_PACE);
  }

  // -- what people do

  listen() {
    this.root.addEventListener("click", (event) => {
      const link = event.target.closest("a[data-height], a[data-cost], a[data-sort]");
      if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
        event.preventDefault();
        this.switch(link);
        return;
      }
      const button = event.target.closest("[data-zoom]");
      if (button) {
        this.tradeoff.zoom(button.dataset.zoom);
        return;
      }
      const row = event.target.closest("tr[data-network]");
      if (row && !event.target.closest("a") && !getSelection().toString()) this.select(row.dataset.network);
    });
    this.root.addEventListener("pointerover", (event) => {
      const row = event.target.closest("tr[data-network]");
      if (row) this.highlight(row.dataset.network, "table");
      else if (event.target.closest("#networks")) this.highlight(null, "table");
    });
    document.addEventListener("eustress:theme", () => {
      this.quiet = true;
      this.drawAll();
      this.quiet = false;
    });
    let width = innerWidth;
    addEventListener("resize", () => {
      if (innerWidth === width) return;
      width = innerWidth;
      clearTimeout(this.resizing);
      this.resizing = setTimeout(() => this.drawAll(), 150);
    });
  }

  switch(link) {
    const query = new URLSearchParams(link.search);
    const changes = {};
    for (const name of ["height", "cost", "sort"]) if (link.dataset[name] !== undefined) changes[name] = query.get(name) ?? "";
    if ("cost" in changes) changes.zoom = "";
    this.setAddress(changes);
    if (link.dataset.sort !== undefined) return this.loadParts();
    for (const other of link.parentElement.children) other.toggleAttribute("aria-current", other === link);
    link.setAttribute("aria-current", "true");
    this.drawAll();
  }

  open(name) {
    const network = this.data.networks.find((one) => one.name === name);
    if (network) location.href = network.url;
  }

  select(name) {
    this.setAddress({ network: this.view.network === name ? "" : name });
    this.drawAll();
    this.loadParts();
  }

  // -- what knows of each other

  highlight(name, from) {
    if (name === this.focused) return;
    this.focused = name;
    const index = name == null ? null : this.index(name);
    if (from !== this.lineage) this.lineage.show(index);
    if (from !== this.tradeoff) this.tradeoff.show(index);
    this.lineage.chart?.canvas.classList.toggle("over", from === this.lineage && name != null);
    this.tradeoff.chart?.canvas.classList.toggle("over", from === this.tradeoff && name != null);
    this.markRow();
  }

  markRow() {
    for (const row of this.root.querySelectorAll("tr[data-network]")) row.classList.toggle("over", row.dataset.network === this.focused);
  }

  index(name) {
    const found = this.data.networks.findIndex((network) => network.name === name);
    return found < 0 ? null : found;
  }

  // Rings in both charts: the leading network, the selected one, and the one under the pointer.
  marks() {
    if (!this.data) return [];
    const marks = new Map();
    const add = (index, strong) => index != null && !marks.has(index) && marks.set(index, { index, strong, name: this.data.networks[index].name });
    add(this.data.leading, true);
    if (this.view.network) add(this.index(this.view.network), false);
    if (this.focused) add(this.index(this.focused), false);
    return [...marks.values()];
  }

  // -- brushing: what the trade-off shows filters the table

  brushed() {
    const range = this.tradeoff.range();
    const round = (value) => Number(value.toPrecision(5));
    this.setAddress({ zoom: range ? [...range.x, ...range.y].map(round).join(",") : "" });
    this.brush();
  }

  brush() {
    const range = this.data && this.tradeoff.range();
    const within = (value, [low, high]) => value != null && value >= low && value <= high;
    let shown = 0;
    const rows = this.root.querySelectorAll("tr[data-network]");
    for (const row of rows) {
      const index = this.data ? this.index(row.dataset.network) : null;
      const network = index == null ? null : this.data.networks[index];
      const inside = !range || !network || (within(network[this.view.cost], range.x) && within(network.accuracy, range.y));
      row.hidden = !inside;
      shown += inside;
    }
    const note = this.root.querySelector("[data-brushed]");
    if (note) note.textContent = range ? `${shown} in view of the chart, of ` : "";
  }

  announce(text) {
    document.getElementById("announcer").textContent = text;
  }
}

const root = document.getElementById("run");
if (root && window.Chart) new RunPage(root).start();
