// The lineage: generations against any measure, every parent's edge. Crowded generations are folded: survivors and the
// chosen line stay networks, the others become a strip of marks; zooming in, or asking, unfolds them.

import { count, percent, times } from "../charts/format.js";
import { digitsOf } from "../charts/look.js";
import { isLost, isOpen } from "./data.js";
import { measures, scaleKind } from "./measures.js";
import { spread } from "./placing.js";
import { Plot } from "./plot.js";
import { extent, Scale } from "./scales.js";
import { bounds, typed } from "./selection.js";

const ROOM = 7; // pixels of width that a network of a generation needs to be drawn as one
const EDGE = 5; // pixels within which an edge is hit
const LOST = { refused: "refused", errored: "stopped by an error", cancelled: "cancelled" };

export class LineagePlot extends Plot {
  axes(narrow) {
    const { data, view } = this.explorer;
    const { left, right, top, bottom } = this.area;
    const kind = scaleKind(view.height, view.hscale);
    const last = Math.max(1, data.byGeneration.length - 1);
    const heights = data.networks.map((network) => network[view.height]);
    this.x = new Scale("linear", this.window?.x ?? [-0.45, last + 0.45], [left, right]);
    this.y = new Scale(kind, this.window?.y ?? extent(kind, heights, kind === "linear" ? 0.02 : 0.2), [bottom, top]);
    this.narrow = narrow;
    this.last = last;
    this.column = Math.abs(this.x.pixel(1) - this.x.pixel(0));
  }

  place() {
    const { data, view } = this.explorer;
    const { networks } = data;
    this.heights = this.heightsOf(networks, view.height);
    const dense = networks.length > 400;
    const largest = Math.max(dense ? 4 : 7, Math.min(17, this.column * 0.3, this.size.width / 34));
    const ancestor = data.ancestor == null ? null : networks[data.ancestor];
    this.px = new Float32Array(networks.length).fill(NaN);
    this.py = new Float32Array(networks.length).fill(NaN);
    this.pr = new Float32Array(networks.length);
    this.folded = data.byGeneration.map((born, generation) => this.isFolded(born ?? [], generation));
    data.byGeneration.forEach((born, generation) => {
      const shown = this.folded[generation] ? born.filter((i) => this.stays(i)) : born;
      const pixels = shown.map((i) => this.y.pixel(this.heights[i]));
      spread(pixels, this.column, dense ? 4 : 10).forEach((shift, at) => {
        this.px[shown[at]] = this.x.pixel(generation) + shift;
        this.py[shown[at]] = pixels[at];
      });
      for (const i of shown) {
        const share = ancestor?.parameters && networks[i].parameters ? networks[i].parameters / ancestor.parameters : 0.1;
        this.pr[i] = isLost(networks[i]) ? 5 : Math.max(dense ? 2.5 : 4, largest * Math.sqrt(Math.min(1.3, share)));
      }
    });
    this.legend();
  }

  // Names what is drawn, and nothing else.
  legend() {
    const { networks, onPath, ancestor } = this.explorer.data;
    const states = new Set(networks.map((network) => network.state));
    const lost = Object.keys(LOST).filter((state) => states.has(state));
    const drawn = {
      path: onPath.size > 1,
      other: networks.some((network) => network.index !== ancestor && !isOpen(network) && !isLost(network) && !onPath.has(network.index)),
      open: networks.some(isOpen),
      lost: lost.length > 0,
      folded: this.folded.some(Boolean),
    };
    const legend = this.explorer.root.querySelector("#lineage-note");
    for (const key of legend.querySelectorAll("[data-drawn]")) key.hidden = !drawn[key.dataset.drawn];
    legend.querySelector("[data-lost]").textContent = lost.map((state) => LOST[state]).join(", ");
    if (this.over.parentElement.clientHeight !== this.size.height) this.draw(); // it takes another number of lines
  }

  // Each network's own height, or the mean of its parents', or the middle of all.
  heightsOf(networks, key) {
    const heights = new Float64Array(networks.length);
    const middle = (this.y.domain[0] + this.y.domain[1]) / 2;
    for (const network of networks) {
      const parents = network.parentIndices;
      heights[network.index] = network[key] ?? (parents.length ? parents.reduce((sum, i) => sum + heights[i], 0) / parents.length : middle);
    }
    return heights;
  }

  isFolded(born, generation) {
    const { fold } = this.explorer.view;
    if (fold === "all") return born.length > 1;
    if (fold === "none") return false;
    if (fold) return fold.split(",").includes(String(generation));
    return born.length > 12 && born.length * ROOM > this.column * 4;
  }

  // In a folded generation: parents of others, the chosen line, what is under way, and what somebody looks at.
  stays(index) {
    const { data, view } = this.explorer;
    const network = data.networks[index];
    return data.children[index].length > 0 || data.onPath.has(index) || isOpen(network) || network.name === view.network || index === this.explorer.focused;
  }

  xTicks() {
    const step = Math.max(1, Math.ceil((this.narrow ? 34 : 44) / this.column));
    const ticks = [];
    for (let generation = 0; generation <= this.last; generation += step) {
      const at = this.x.pixel(generation);
      if (at < this.area.left - 4 || at > this.area.right + 4) continue;
      const wide = this.column > 90 && generation;
      ticks.push({ at, label: generation ? `${wide ? "generation " : ""}${generation}${this.folded[generation] && wide ? " ▸" : ""}` : "ancestor" });
    }
    return ticks;
  }

  yLabel(value) {
    const { tick } = measures[this.explorer.view.height];
    if (tick) return tick(value);
    return value > 1.0001 ? "" : percent(value, digitsOf(this.yTicks()));
  }

  paintContent(ctx, c) {
    const { data, selected, view } = this.explorer;
    this.paintStrips(ctx, c);
    this.paintEdges(ctx, c);
    const chosen = selected && Object.keys(view.ranges).length + (view.q ? 1 : 0) > 0;
    const groups = { faint: [], other: [], chosen: [], path: [], ancestor: [], open: [], lost: [] };
    for (let i = 0; i < this.px.length; i += 1) {
      if (!this.inside(this.px[i], this.py[i], 20)) continue;
      const network = data.networks[i];
      if (chosen && !selected[i]) groups.faint.push(i);
      else if (isLost(network)) groups.lost.push(i);
      else if (isOpen(network)) groups.open.push(i);
      else if (i === data.ancestor) groups.ancestor.push(i);
      else if (data.onPath.has(i)) groups.path.push(i);
      else groups[chosen ? "chosen" : "other"].push(i);
    }
    ctx.lineWidth = 1.5;
    ctx.globalAlpha = 0.25;
    this.circles(ctx, groups.faint, c.other);
    ctx.globalAlpha = 1;
    const edge = this.px.length > 400 && this.column < 60 ? null : c.card; // rings of background hide what is dense
    this.circles(ctx, groups.other, c.other, edge);
    this.circles(ctx, groups.chosen, c.ink, edge);
    this.circles(ctx, groups.path, c.accent, edge);
    this.circles(ctx, groups.ancestor, c.ancestor, c.card);
    ctx.lineWidth = 2.5;
    this.circles(ctx, groups.open, c.card, c.stress);
    this.crosses(ctx, groups.lost, c.lost);
  }

  // Folded networks as marks across their generation's column: where there are many, the strip is dark.
  paintStrips(ctx, c) {
    const { data, selected } = this.explorer;
    const half = Math.max(1.5, this.column * 0.34);
    for (const strong of selected ? [false, true] : [true]) {
      ctx.beginPath();
      data.byGeneration.forEach((born, generation) => {
        const at = this.x.pixel(generation);
        if (!this.folded[generation] || at < this.area.left - half || at > this.area.right + half) return;
        for (const i of born) {
          if (selected && Boolean(selected[i]) !== strong) continue;
          const y = this.y.pixel(this.heights[i]);
          ctx.moveTo(at - half, y);
          ctx.lineTo(at + half, y);
        }
      });
      ctx.strokeStyle = selected && strong ? c.ink : c.other;
      ctx.globalAlpha = strong ? 0.5 : 0.15;
      ctx.lineWidth = 1;
      ctx.stroke();
    }
    ctx.globalAlpha = 1;
  }

  // [parent, child] of the edges between networks that are drawn and touch the window.
  *edges() {
    const { networks } = this.explorer.data;
    const { left, right } = this.area;
    for (let child = 0; child < networks.length; child += 1) {
      if (!(this.px[child] >= left - 20)) continue;
      for (const parent of networks[child].parentIndices) if (this.px[parent] <= right + 20) yield [parent, child];
    }
  }

  paintEdges(ctx, c) {
    const { data, view } = this.explorer;
    const chosen = data.byName.get(view.network)?.index;
    const kinds = { plain: [], path: [], open: [], own: [] };
    for (const edge of this.edges()) {
      const [parent, child] = edge;
      if (data.onPath.has(parent) && data.onPath.has(child)) kinds.path.push(edge);
      else if (parent === chosen || child === chosen) kinds.own.push(edge);
      else if (isOpen(data.networks[child])) kinds.open.push(edge);
      else kinds.plain.push(edge);
    }
    const faint = kinds.plain.length > 800 ? 0.35 : 0.8;
    const styles = [["plain", c.other, 1, faint, []], ["open", c.stress, 1, 1, [3, 4]], ["own", c.ink, 1.25, 0.7, []], ["path", c.accent, 2.5, 1, []]];
    for (const [kind, colour, width, alpha, dash] of styles) {
      ctx.beginPath();
      for (const [parent, child] of kinds[kind]) {
        const [ax, ay, bx, by] = [this.px[parent], this.py[parent], this.px[child], this.py[child]];
        const bend = (bx - ax) / 2;
        ctx.moveTo(ax, ay);
        ctx.bezierCurveTo(ax + bend, ay, bx - bend, by, bx, by);
      }
      ctx.strokeStyle = colour;
      ctx.lineWidth = width;
      ctx.globalAlpha = alpha;
      ctx.setLineDash(dash);
      ctx.stroke();
    }
    ctx.setLineDash([]);
    ctx.globalAlpha = 1;
  }

  // The edge near a place: [parent, child], or null.
  edgeAt(x, y) {
    let [best, least] = [null, EDGE];
    for (const [parent, child] of this.edges()) {
      const [ax, ay, bx, by] = [this.px[parent], this.py[parent], this.px[child], this.py[child]];
      if (x < Math.min(ax, bx) || x > Math.max(ax, bx)) continue;
      let t = (x - ax) / (bx - ax || 1); // x runs nearly evenly along the curve: two steps of Newton suffice
      for (let turn = 0; turn < 3; turn += 1) t -= (ax + (bx - ax) * (1.5 * t - 1.5 * t * t + t ** 3) - x) / ((bx - ax) * (1.5 - 3 * t + 3 * t * t) || 1);
      const away = Math.abs(ay + (by - ay) * (3 * t * t - 2 * t ** 3) - y);
      if (away < least) [best, least] = [[parent, child], away];
    }
    return best;
  }

  hover(x, y) {
    super.hover(x, y);
    if (this.explorer.focused != null || !this.inside(x, y)) return;
    const edge = this.edgeAt(x, y);
    this.over.classList.toggle("hit", edge != null);
    this.hint = edge && { at: [x, y], lines: this.edgeLines(...edge.map((i) => this.explorer.data.networks[i])) };
    this.draw(false);
  }

  click(x, y) {
    const edge = this.hit(x, y) == null && this.inside(x, y) ? this.edgeAt(x, y) : null;
    if (edge) return this.explorer.select(edge[1], edge[0]);
    if (y > this.area.bottom + 4 && x > this.area.left) return this.explorer.fold(Math.round(this.x.value(x)), this.folded);
    return super.click(x, y);
  }

  brush([ax, ay], [bx, by]) {
    const { view } = this.explorer;
    const [from, to] = this.x.between(ax, bx);
    const ranges = { generation: [Math.max(0, Math.ceil(from - 0.3)), Math.max(0, Math.floor(to + 0.3))], [view.height]: typed(view.height, this.y.between(ay, by)) };
    this.explorer.narrow(ranges, ["generation", view.height]);
  }

  unbrush() {
    this.explorer.narrow({}, ["generation", this.explorer.view.height], true);
  }

  brushed() {
    const { view } = this.explorer;
    const generation = bounds(view, "generation")?.map((end, i) => end + (i ? 0.45 : -0.45));
    return this.rectangle(generation ?? null, bounds(view, view.height));
  }

  // By keyboard: left to a parent, right to the child that leads on, up and down within the generation.
  walk(dx, dy) {
    const { data, focused, view } = this.explorer;
    const at = focused ?? data.byName.get(view.network)?.index ?? data.ancestor ?? 0;
    if (focused == null) return this.explorer.walkTo(at, this);
    const network = data.networks[at];
    let next = at;
    if (dx < 0) next = network.parentIndices[0] ?? at;
    else if (dx > 0) next = data.children[at].find((i) => data.onPath.has(i)) ?? data.children[at].find((i) => data.children[i].length) ?? data.children[at][0] ?? at;
    else {
      const born = [...data.byGeneration[network.generation]].sort((a, b) => this.y.pixel(this.heights[a]) - this.y.pixel(this.heights[b]));
      next = born[Math.max(0, Math.min(born.length - 1, born.indexOf(at) + dy))];
    }
    return this.explorer.walkTo(next, this);
  }

  lines(network) {
    const lines = [network.name];
    if (network.accuracy != null) lines.push(`${percent(network.accuracy)} ${this.explorer.data.metric}${network.shock == null ? "" : `, shock ${percent(network.shock)}`}`);
    if (network.parameters != null) lines.push(`${count(network.parameters)} parameters${network.smaller > 1 ? `, ${times(network.smaller)} smaller` : ""}`);
    if (network.state !== "measured") lines.push(network.state === "living" ? `in training, ${percent(network.progress, 0)}` : network.state);
    if (network.parents.length) lines.push(`child of ${network.parents.slice(0, 3).join(" and ")}`);
    return lines;
  }

  edgeLines(parent, child) {
    const lines = [`${parent.name} → ${child.name}`];
    if (parent.accuracy != null && child.accuracy != null) lines.push(`${((child.accuracy - parent.accuracy) * 100).toFixed(1).replace("-", "−")} points of ${this.explorer.data.metric}`);
    if (parent.parameters && child.parameters) lines.push(`${count(parent.parameters)} → ${count(child.parameters)} parameters`);
    return [...lines, "click: layer by layer"];
  }
}
