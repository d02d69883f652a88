// Lineage, trade-off, card and table of a run, tied by one selection and one address.

import { ask } from "../asking.js";
import { colours } from "../charts/look.js";
import { offer } from "../keeping.js";
import { replaceParts } from "../parts.js";
import { decode } from "./data.js";
import { LineagePlot } from "./lineage.js";
import { ParallelPlot } from "./parallel.js";
import { counted, mask } from "./selection.js";
import { TradeoffPlot } from "./tradeoff.js";
import { readView, windowText, writeAddress } from "./view.js";

export class Explorer {
  // root: the page's element with its addresses; drawn(data): what else is to be drawn from the same data
  constructor(root, drawn) {
    Object.assign(this, { root, drawn, data: null, view: readView(), focused: null, from: null, mode: "", dragging: false, selected: null });
    this.font = getComputedStyle(document.body).fontFamily;
    this.colours = colours();
    this.lineage = new LineagePlot(document.getElementById("lineage-chart"), this);
    this.tradeoff = new TradeoffPlot(document.getElementById("tradeoff-chart"), this);
    this.parallel = new ParallelPlot(document.getElementById("parallel-chart"), this);
    this.lineage.window = this.view.look;
    this.tradeoff.window = this.view.zoom;
    this.plots = { lineage: this.lineage, tradeoff: this.tradeoff, parallel: this.parallel };
    for (const [name, plot] of Object.entries(this.plots)) offer(name, () => plot.svg());
  }

  // -- what comes from the server

  // All networks at first, then what changed since the last event that was known.
  async load(whole = !this.data) {
    const query = new URLSearchParams(location.search);
    if (!whole) query.set("after", this.data.last);
    const response = await ask(`${this.root.dataset.chart}?${query}`, "application/json");
    if (!response?.ok) return;
    const data = decode(await response.json(), whole ? null : this.data);
    if (!data) return whole ? undefined : this.load(true);
    this.data = data;
    this.renew();
    return undefined;
  }

  async loadParts() {
    const asked = (this.asked = Symbol("the latest question"));
    const response = await ask(this.root.dataset.explore + location.search);
    if (!response?.ok) return;
    const html = await response.text();
    if (asked !== this.asked) return; // a later question is under way
    replaceParts(html);
  }

  // -- drawing

  renew() {
    if (!this.data) return;
    this.selected = mask(this.data.networks, this.view);
    const measured = this.data.networks.some((network) => network.accuracy != null);
    this.root.classList.toggle("before", !measured); // until then the page says what will stand there
    for (const plot of Object.values(this.plots)) {
      const place = plot.over.parentElement;
      place.classList.toggle("empty", !measured);
      const note = place.querySelector(".chart-empty");
      if (note) {
        note.hidden = measured;
        if (!measured && this.data.ended) note.textContent = "Nothing was measured in this run.";
      }
    }
    for (const element of this.root.querySelectorAll("[data-with-charts]")) element.hidden = !measured;
    this.say();
    this.drawAll();
    this.drawn(this.data);
  }

  drawAll(whole = true) {
    this.lineage.draw(whole);
    this.tradeoff.draw(whole);
    if (this.view.lines) this.parallel.draw(whole);
  }

  repaintAll() {
    this.lineage.repaint();
    this.tradeoff.repaint();
    if (this.view.lines) this.parallel.repaint();
  }

  recolour() {
    this.colours = colours();
    this.drawAll();
  }

  say() {
    const place = this.root.querySelector("[data-selected]");
    if (!place) return;
    const top = () => this.lineage.over.getBoundingClientRect().top;
    const before = this.dragging && place.hidden === Boolean(this.selected) ? top() : null;
    place.hidden = !this.selected;
    if (before != null) scrollBy({ top: top() - before, behavior: "instant" }); // the charts stay under the pointer
    for (const field of this.root.querySelectorAll("input[data-range]")) {
      const [key, end] = field.name.split(".");
      if (field !== document.activeElement) field.value = this.view.ranges[key]?.[end === "to" ? 1 : 0] ?? "";
    }
    if (this.selected) place.querySelector("[data-count]").textContent = `${counted(this.selected).toLocaleString("en")} of ${this.data.networks.length.toLocaleString("en")} networks selected`;
  }

  // -- one network: under the pointer, selected, opened

  focus(index, from) {
    if (index === this.focused && from === this.from) return this.drawAll(false);
    const folds = this.lineage.folded?.some(Boolean) && (index != null || this.focused != null);
    this.focused = index;
    this.from = from;
    this.drawAll(false);
    if (folds && from !== this.lineage) this.lineage.draw(); // a folded network stands out while it is looked at
    return this.markRow();
  }

  walkTo(index, from = this.lineage) {
    if (index == null) return;
    this.focus(index, from);
    this.lineage.draw();
    from.show(index);
    document.getElementById("announcer").textContent = from.lines(this.data.networks[index]).join(", ");
  }

  select(index, against = null) {
    this.selectNamed(this.data.networks[index].name, against == null ? "" : this.data.networks[against].name);
  }

  // By name: rows of the table can be clicked before the charts' data have come.
  selectNamed(name, against = "") {
    const again = this.view.network === name && !against && !this.view.against;
    this.change({ network: again ? "" : name, against: again ? "" : against });
    this.loadParts();
  }

  open(index) {
    location.href = this.data.networks[index].url;
  }

  marks() {
    const marks = new Map();
    const add = (index, strong) => index != null && !marks.has(index) && marks.set(index, { index, strong });
    add(this.data.leading, true);
    add(this.data.byName.get(this.view.network)?.index, false);
    add(this.focused, false);
    return [...marks.values()];
  }

  markRow() {
    const name = this.focused == null ? "" : this.data.networks[this.focused].name;
    for (const row of this.root.querySelectorAll("tr[data-network]")) row.classList.toggle("over", row.dataset.network === name);
  }

  // -- the selection

  // Sets ranges while somebody drags; `replacing` names those that give way. Address and table follow in `settle`.
  narrow(ranges, replacing, settled = false) {
    const kept = Object.entries(this.view.ranges).filter(([key]) => !replacing.includes(key));
    const before = Object.keys(this.view.ranges).length;
    this.view.ranges = { ...Object.fromEntries(kept), ...ranges };
    if (settled && before === Object.keys(this.view.ranges).length) return;
    this.selected = mask(this.data.networks, this.view);
    this.dragging = true;
    this.say();
    this.repaintAll();
    if (settled) this.settle();
  }

  // Writes what was dragged into the address; the table follows unless only a window moved.
  settle(onlyWindow = false) {
    this.dragging = false;
    if (this.view.lines) this.parallel.draw();
    writeAddress({ ranges: this.view.ranges, look: windowText(this.lineage.window), zoom: windowText(this.tradeoff.window), ...(onlyWindow ? {} : { page: "" }) });
    if (!onlyWindow) this.loadParts();
  }

  clear() {
    this.change({ ranges: {}, q: "", page: "" });
    this.loadParts();
  }

  // Changes of the address, and everything drawn by it.
  change(changes) {
    writeAddress(changes);
    this.view = readView();
    this.renew();
  }

  // Folds or unfolds one generation; what was folded by itself is then kept as it is.
  fold(generation, folded) {
    const now = folded.map((one, i) => (i === generation ? !one : one));
    const names = now.flatMap((one, i) => (one ? [i] : []));
    this.change({ fold: names.join(",") || "none" });
  }
}
