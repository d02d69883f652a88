// Parallel coordinates: every measure an axis, every network a line. Dragging along an axis narrows the one selection;
// the fields beside it do the same by keyboard.

import { digitsOf, FONT } from "../charts/look.js";
import { measure, measures, scaleKind } from "./measures.js";
import { extent, Scale } from "./scales.js";
import { bounds, typed } from "./selection.js";
import { sharpen, SvgSurface } from "./surface.js";

const LABEL = 60; // pixels that the labels of the last axis take
const SKETCHED = 400; // lines of either kind while somebody drags: more would not be seen apart

export class ParallelPlot {
  constructor(over, explorer) {
    this.over = over;
    this.base = over.parentElement.querySelector("canvas.drawn");
    this.explorer = explorer;
    this.size = { width: 0, height: 0 };
    this.listen();
  }

  draw(whole = true) {
    this.unlaid ||= whole;
    this.repaint(whole);
  }

  repaint(whole = true) {
    this.stale ||= whole;
    this.pending ??= requestAnimationFrame(() => {
      this.pending = null;
      if (!this.explorer.data || !this.over.parentElement.clientWidth) return;
      if (this.stale) {
        const { ctx, width, height } = sharpen(this.base);
        if (this.unlaid || width !== this.size.width || height !== this.size.height) {
          this.size = { width, height };
          this.lay();
        }
        this.unlaid = false;
        this.paint(ctx);
      }
      this.stale = false;
      this.paintOver(sharpen(this.over).ctx);
    });
  }

  lay() {
    const { data, view } = this.explorer;
    const { width, height } = this.size;
    this.keys = ["generation", ...Object.keys(measures)].filter((key) => data.networks.some((network) => network[key] != null));
    const top = 44;
    this.area = { top, bottom: height - 14 };
    const scales = { [view.height]: view.hscale, [view.cost]: view.xscale, accuracy: view.yscale };
    this.axes = this.keys.map((key, i) => {
      const kind = scaleKind(key, scales[key] ?? "");
      const better = key === "accuracy" || key === "shock" || key === "generation";
      const range = better ? [height - 14, top] : [top, height - 14]; // better is up, on every axis
      const x = 44 + (i * (width - 44 - LABEL)) / Math.max(1, this.keys.length - 1);
      return { key, x, scale: new Scale(kind, extent(kind, data.networks.map((network) => network[key])), range) };
    });
  }

  paint(ctx) {
    const { data, selected, colours: c } = this.explorer;
    const { networks } = data;
    const rest = [];
    const own = [];
    for (const network of networks) if (network.accuracy != null) (selected && !selected[network.index] ? rest : own).push(network);
    const sketch = (list) => (this.explorer.dragging ? list.filter((_, i) => i % Math.max(1, Math.ceil(list.length / SKETCHED)) === 0) : list);
    this.lines(ctx, sketch(rest), c.other, 1, rest.length > 300 ? 0.1 : 0.3);
    this.lines(ctx, sketch(own), selected ? c.accent : c.other, 1, own.length > 300 ? 0.25 : 0.7);
    const marked = this.explorer.marks().map(({ index, strong }) => [networks[index], strong]);
    for (const [network, strong] of marked) this.lines(ctx, [network], strong ? c.accent : c.ink, 2.5, 1);
    ctx.globalAlpha = 1;
    ctx.font = `${FONT - 1}px ${this.explorer.font}`;
    ctx.textBaseline = "middle";
    const narrow = this.size.width / this.axes.length < 84;
    this.axes.forEach(({ key, x, scale }, i) => {
      ctx.strokeStyle = c.muted;
      ctx.lineWidth = 1;
      ctx.beginPath();
      ctx.moveTo(x, this.area.top);
      ctx.lineTo(x, this.area.bottom);
      ctx.stroke();
      ctx.textAlign = "center";
      ctx.fillStyle = c.ink;
      ctx.fillText(key === "accuracy" ? data.metric : measure(key).label, Math.max(34, Math.min(this.size.width - 34, x)), narrow && i % 2 ? 28 : 12);
      ctx.fillStyle = c.muted;
      ctx.textAlign = "left";
      const { tick, value } = measure(key);
      ctx.strokeStyle = c.card; // a rim keeps labels readable on the lines
      ctx.lineWidth = 3;
      ctx.lineJoin = "round";
      const ticks = scale.ticks(5);
      for (const at of ticks) {
        if (at > 1.0001 && measure(key).factor === 0.01) continue;
        const label = tick ? tick(at) : value(at, digitsOf(ticks));
        const place = [x + 5, scale.pixel(at)];
        ctx.strokeText(label, ...place);
        ctx.fillText(label, ...place);
      }
    });
  }

  lines(ctx, networks, colour, width, alpha) {
    ctx.strokeStyle = colour;
    ctx.lineWidth = width;
    ctx.globalAlpha = alpha;
    for (const network of networks) {
      ctx.beginPath();
      let pen = false;
      for (const { key, x, scale } of this.axes) {
        const value = network[key];
        if (value == null) pen = false;
        else if (pen) ctx.lineTo(x, scale.pixel(value));
        else ctx.moveTo(x, scale.pixel(value));
        if (value != null) pen = true;
      }
      ctx.stroke();
    }
  }

  paintOver(ctx) {
    const { view, focused, data, colours: c } = this.explorer;
    if (focused != null) this.lines(ctx, [data.networks[focused]], c.ink, 2, 1);
    ctx.globalAlpha = 1;
    for (const { key, x, scale } of this.axes) {
      const range = bounds(view, key);
      if (!range) continue;
      const ends = range.map((end, i) => (Number.isFinite(end) ? scale.pixel(end) : scale.range[i]));
      const [from, to] = [Math.max(this.area.top, Math.min(...ends)), Math.min(this.area.bottom, Math.max(...ends))];
      ctx.fillStyle = c.accent;
      ctx.globalAlpha = 0.2;
      ctx.fillRect(x - 7, from, 14, Math.max(2, to - from));
      ctx.globalAlpha = 1;
      ctx.strokeStyle = c.accent;
      ctx.strokeRect(Math.round(x) - 7.5, Math.round(from) + 0.5, 15, Math.max(2, Math.round(to - from)));
    }
  }

  listen() {
    const at = (event) => {
      const box = this.over.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    const axisAt = (x) => this.axes?.reduce((best, axis) => (Math.abs(axis.x - x) < Math.abs(best.x - x) ? axis : best));
    this.over.addEventListener("pointerdown", (event) => {
      const [x, y] = at(event);
      const axis = axisAt(x);
      if (event.button || !axis || Math.abs(axis.x - x) > 24) return;
      this.over.setPointerCapture(event.pointerId);
      this.grip = { axis, y, moved: false };
    });
    this.over.addEventListener("pointermove", (event) => {
      const [x, y] = at(event);
      const axis = axisAt(x);
      this.over.classList.toggle("grip", Boolean(axis && Math.abs(axis.x - x) < 24));
      if (!this.grip || Math.abs(y - this.grip.y) < 3) return;
      this.grip.moved = true;
      const { key, scale } = this.grip.axis;
      const within = (pixel) => Math.max(this.area.top, Math.min(this.area.bottom, pixel));
      const range = scale.between(within(this.grip.y), within(y));
      const whole = key === "generation" ? [Math.ceil(range[0] - 0.2), Math.floor(range[1] + 0.2)] : typed(key, range);
      this.explorer.narrow({ [key]: whole }, [key]);
    });
    const end = () => {
      if (this.grip && !this.grip.moved) this.explorer.narrow({}, [this.grip.axis.key]);
      if (this.grip) {
        this.grip = null;
        this.explorer.settle();
      }
    };
    this.over.addEventListener("pointerup", end);
    this.over.addEventListener("pointercancel", end);
  }

  svg() {
    const surface = new SvgSurface(this.size.width, this.size.height, this.explorer.colours.card);
    this.paint(surface);
    return surface.toString();
  }
}
