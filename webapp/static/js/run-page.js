// The run's page: charts, table and panels that know of each other; the view's state lives in the address.

import { ask } from "./asking.js";
import { svgOf } from "./charts/drawing.js";
import { prepare } from "./charts/look.js";
import { ProgressChart } from "./charts/progress.js";
import { ShockChart } from "./charts/shock.js";
import { connect } from "./explore/controls.js";
import { Explorer } from "./explore/explorer.js";
import { offer } from "./keeping.js";
import { LiveFeed } from "./live.js";
import { remember, replaceParts } from "./parts.js";

const PACE = 1000; // milliseconds between two refreshes at least
const SLOW_PACE = 6000; // while only progress moves
const QUIET = new Set(["progress", "epoch"]); // what the bars of living networks show already

class RunPage {
  constructor(root) {
    this.root = root;
    prepare();
    this.shock = new ShockChart(document.getElementById("shock-chart"), this);
    this.progress = new ProgressChart(document.getElementById("progress-chart"));
    this.explorer = new Explorer(root, () => this.drawRest());
    offer("shock", () => svgOf(this.shock.chart));
    offer("progress", () => svgOf(this.progress.chart));
    connect(this.explorer);
    this.listen();
    remember(root);
  }

  // What the shock chart asks of a page.
  get data() {
    const { data } = this.explorer;
    return data && { ...data, generations: data.means };
  }

  select(name) {
    this.explorer.select(this.data.byName.get(name).index);
  }

  async start() {
    await this.explorer.load();
    if ("ended" in this.root.dataset) return;
    const handlers = {
      changed: (event) => this.refreshSoon(QUIET.has(event.kind) ? SLOW_PACE : PACE),
      living: (networks) => this.showLives(networks),
      ended: () => this.refreshSoon(0),
    };
    const { events, eventsJson, last } = this.root.dataset;
    new LiveFeed({ events, eventsJson, last: Number(last), handlers }).start();
  }

  // again: with other colours or another width; else what does not follow the view is drawn once for the same data.
  drawRest(again = false) {
    const { data, view } = this.explorer;
    const renewed = again || data !== this.drawn;
    this.drawn = data;
    const cut = data.networks.some((network) => network.shock != null);
    const born = data.networks.some((network) => network.generation && network.accuracy != null);
    this.fill(this.shock, cut, () => renewed && this.shock.draw());
    this.fill(this.progress, born, () => this.progress.draw(data, view));
  }

  // A chart without a single point says when the first will come, instead of showing empty axes.
  fill(chart, filled, draw) {
    const place = chart.canvas.parentElement;
    place.classList.toggle("empty", !filled);
    const note = place.querySelector(".chart-empty");
    note.hidden = filled;
    if (!filled && this.explorer.data.ended) note.textContent = note.dataset.never;
    if (filled) draw();
  }

  async loadParts() {
    const { search } = location;
    const response = await ask(this.root.dataset.live + search);
    if (!response?.ok) return;
    const html = await response.text();
    if (search !== location.search) return this.refreshSoon(PACE); // an answer to another selection than the page's
    replaceParts(html);
    return undefined;
  }

  // Curves stand first until there is an answer, then where the server puts them from the next opening on.
  placeCurves() {
    const [answer, curves] = ["run-answer", "run-curves"].map((id) => document.getElementById(id));
    const early = curves.compareDocumentPosition(answer) & Node.DOCUMENT_POSITION_FOLLOWING;
    if (early && answer.children.length && !curves.contains(document.activeElement)) document.getElementById("survival").after(curves);
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
    try {
      await Promise.all([this.loadParts(), this.explorer.load()]);
    } catch {
      this.refreshSoon(SLOW_PACE); // the server is away for a moment
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

  listen() {
    document.addEventListener("eustress:parts", ({ detail }) => {
      if (detail.includes("run-answer")) this.placeCurves();
      this.explorer.markRow();
    });
    document.addEventListener("eustress:theme", () => this.redraw());
    addEventListener("beforeprint", () => this.redraw());
    addEventListener("afterprint", () => this.redraw());
    let width = innerWidth;
    addEventListener("resize", () => {
      if (innerWidth === width) return;
      width = innerWidth;
      clearTimeout(this.resizing);
      this.resizing = setTimeout(() => this.redraw(), 150);
    });
  }

  redraw() {
    if (!this.explorer.data) return;
    this.explorer.recolour();
    this.drawRest(true);
  }
}

const root = document.getElementById("run");
if (root && window.Chart) new RunPage(root).start();
