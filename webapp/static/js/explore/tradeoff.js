// The trade-off: accuracy against a cost, smaller to the right, with the Pareto front that the server found and the band
// of what is within the allowed drop.

import { percent, times } from "../charts/format.js";
import { digitsOf } from "../charts/look.js";
import { measures, scaleKind } from "./measures.js";
import { Plot } from "./plot.js";
import { extent, Scale } from "./scales.js";
import { bounds, typed } from "./selection.js";

export class TradeoffPlot extends Plot {
  axes(narrow) {
    const { data, view } = this.explorer;
    const { left, right, top, bottom } = this.area;
    const [kindX, kindY] = [scaleKind(view.cost, view.xscale), scaleKind("accuracy", view.yscale)];
    const known = data.networks.filter((network) => network.accuracy != null && network[view.cost] != null);
    const x = this.window?.x ?? extent(kindX, known.map((network) => network[view.cost]), 0.2);
    const y = this.window?.y ?? extent(kindY, known.map((network) => network.accuracy), kindY === "linear" ? 0.02 : 0.2);
    this.x = new Scale(kindX, x, [right, left]);
    this.y = new Scale(kindY, y, [bottom, top]);
    this.narrow = narrow;
  }

  place() {
    const { data, view } = this.explorer;
    const total = data.networks.length;
    this.px = new Float32Array(total).fill(NaN);
    this.py = new Float32Array(total).fill(NaN);
    this.pr = new Float32Array(total);
    const small = total > 600 ? 2.5 : 4.5;
    for (const network of data.networks) {
      if (network.accuracy == null || network[view.cost] == null) continue;
      this.px[network.index] = this.x.pixel(network[view.cost]);
      this.py[network.index] = this.y.pixel(network.accuracy);
      this.pr[network.index] = network.index === data.ancestor ? 6 : data.onPath.has(network.index) ? small + 1 : small;
    }
  }

  xTicks() {
    const { tick } = measures[this.explorer.view.cost];
    return this.x.ticks(this.narrow ? 4 : 6).map((value) => ({ at: this.x.pixel(value), label: tick(value) }));
  }

  yLabel(value) {
    return value > 1.0001 ? "" : percent(value, digitsOf(this.yTicks()));
  }

  paintContent(ctx, c) {
    const { data, selected, view } = this.explorer;
    this.paintBand(ctx, c);
    const groups = { other: [], faint: [], path: [], ancestor: [] };
    for (let i = 0; i < this.px.length; i += 1) {
      if (!this.inside(this.px[i], this.py[i], 8)) continue;
      if (i === data.ancestor) groups.ancestor.push(i);
      else if (data.onPath.has(i)) groups.path.push(i);
      else groups[selected && !selected[i] ? "faint" : "other"].push(i);
    }
    ctx.lineWidth = 1;
    ctx.globalAlpha = 0.22;
    this.circles(ctx, groups.faint, c.other);
    ctx.globalAlpha = 1;
    const dense = this.px.length > 600;
    if (dense && !selected) ctx.globalAlpha = 0.7;
    this.circles(ctx, groups.other, selected ? c.ink : c.other, dense ? null : c.card);
    ctx.globalAlpha = 1;
    this.paintFront(ctx, c, data.fronts[view.cost] ?? []);
    this.circles(ctx, groups.path, c.accent, dense ? null : c.card);
    this.circles(ctx, groups.ancestor, c.ancestor, c.card);
  }

  paintBand(ctx, c) {
    const { threshold } = this.explorer.data;
    if (threshold == null) return;
    const { left, right, top } = this.area;
    const y = Math.min(this.area.bottom, this.y.pixel(threshold));
    if (!(y > top)) return;
    ctx.globalAlpha = 0.55;
    ctx.fillStyle = c["accent-soft"];
    ctx.fillRect(left, top, right - left, y - top);
    ctx.globalAlpha = 1;
  }

  paintFront(ctx, c, front) {
    ctx.beginPath();
    front.forEach((i, at) => (at ? ctx.lineTo(this.px[i], this.py[i]) : ctx.moveTo(this.px[i], this.py[i])));
    ctx.strokeStyle = c.accent;
    ctx.lineWidth = 1.75;
    ctx.stroke();
  }

  // -- selecting

  brush([ax, ay], [bx, by]) {
    const { view } = this.explorer;
    const ranges = { [view.cost]: typed(view.cost, this.x.between(ax, bx)), accuracy: typed("accuracy", this.y.between(ay, by)) };
    this.explorer.narrow(ranges, [view.cost, "accuracy"]);
  }

  unbrush() {
    this.explorer.narrow({}, [this.explorer.view.cost, "accuracy"], true);
  }

  brushed() {
    const { view } = this.explorer;
    return this.rectangle(bounds(view, view.cost), bounds(view, "accuracy"));
  }

  // By keyboard: to the next dearer or cheaper network, or along the front by up and down.
  walk(dx, dy) {
    const { data, view, focused } = this.explorer;
    const drawn = data.networks.filter((network) => Number.isFinite(this.px[network.index]));
    const list = dy ? (data.fronts[view.cost] ?? []).map((i) => data.networks[i]) : drawn.sort((a, b) => b[view.cost] - a[view.cost]);
    const at = list.findIndex((network) => network.index === focused);
    const next = list[at < 0 ? 0 : Math.max(0, Math.min(list.length - 1, at + (dx || dy)))];
    if (next) this.explorer.walkTo(next.index, this);
  }

  lines(network) {
    const { view, data } = this.explorer;
    const { label, value } = measures[view.cost];
    return [network.name, `${percent(network.accuracy)} ${data.metric}`, `${value(network[view.cost])} ${label}`, network.smaller > 1 ? `${times(network.smaller)} smaller` : ""].filter(Boolean);
  }
}
