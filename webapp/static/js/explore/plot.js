// A plot of networks: axes, a window that zooms and moves, points that can be hit, and an upper layer for what changes
// with the pointer. Lineage and trade-off say where points lie and what is drawn.

import { FONT } from "../charts/look.js";
import { listen } from "./pointer.js";
import { sharpen, SvgSurface } from "./surface.js";

const REACH = 14; // pixels within which a point is hit

export class Plot {
  constructor(over, explorer) {
    this.over = over; // takes pointers and keys
    this.base = over.parentElement.querySelector("canvas.drawn");
    this.explorer = explorer;
    this.window = null; // {x: [low, high], y: [low, high]}; null shows all
    this.hint = null; // lines of text beside the pointer that are no network's
    this.size = { width: 0, height: 0 };
    listen(this);
  }

  // -- to be drawn: once a frame, however often it is asked for

  draw(whole = true) {
    this.unlaid ||= whole;
    this.repaint(whole);
  }

  // The same places in other looks: a selection moves nothing.
  repaint(whole = true) {
    this.stale ||= whole;
    this.pending ??= requestAnimationFrame(() => {
      this.pending = null;
      if (!this.explorer.data || !this.over.parentElement.clientWidth) return;
      const stale = this.stale;
      this.stale = false; // before: what is drawn may ask to be drawn again
      if (stale) this.drawBase();
      this.drawOver();
    });
  }

  drawBase() {
    const { ctx, width, height } = sharpen(this.base);
    if (this.unlaid || width !== this.size.width || height !== this.size.height) this.lay(width, height);
    this.paint(ctx);
  }

  drawOver() {
    const { ctx } = sharpen(this.over);
    ctx.save();
    this.clip(ctx);
    this.paintBrush(ctx);
    ctx.restore();
    this.paintMarks(ctx);
    this.paintHint(ctx);
  }

  // Sets the axes and where each network lies.
  lay(width, height) {
    this.size = { width, height };
    this.unlaid = false;
    const narrow = width < 420;
    this.area = { left: narrow ? 46 : 54, top: 12, right: width - 14, bottom: height - 30 };
    this.axes(narrow);
    const wanted = this.widestLabel() + 10;
    if (wanted > this.area.left) {
      this.area.left = wanted;
      this.axes(narrow);
    }
    this.place();
  }

  widestLabel() {
    const ctx = this.base.getContext("2d");
    ctx.font = `${FONT}px ${this.explorer.font}`;
    return Math.ceil(Math.max(0, ...this.yTicks().map((value) => ctx.measureText(this.yLabel(value)).width)));
  }

  yTicks() {
    return this.y.ticks(Math.max(3, Math.floor((this.area.bottom - this.area.top) / 48)));
  }

  paint(ctx) {
    const c = this.explorer.colours;
    ctx.font = `${FONT}px ${this.explorer.font}`;
    this.paintAxes(ctx, c);
    ctx.save();
    this.clip(ctx);
    this.paintContent(ctx, c);
    ctx.restore();
  }

  clip(ctx) {
    const { left, top, right, bottom } = this.area;
    ctx.beginPath();
    ctx.rect(left - 8, top - 8, right - left + 16, bottom - top + 14);
    ctx.clip();
  }

  paintAxes(ctx, c) {
    const { left, right, bottom } = this.area;
    ctx.lineWidth = 1;
    ctx.strokeStyle = c.line;
    ctx.fillStyle = c.muted;
    ctx.textBaseline = "middle";
    ctx.textAlign = "right";
    ctx.beginPath();
    for (const value of this.yTicks()) {
      const at = Math.round(this.y.pixel(value)) + 0.5;
      ctx.moveTo(left, at);
      ctx.lineTo(right, at);
      ctx.fillText(this.yLabel(value), left - 8, at);
    }
    ctx.stroke();
    ctx.textAlign = "center";
    let free = -Infinity;
    for (const { at, label, strong } of this.xTicks().sort((a, b) => a.at - b.at)) {
      const half = ctx.measureText(label).width / 2;
      const middle = Math.min(Math.max(at, half + 2), this.size.width - half - 2);
      if (middle - half < free + 6) continue;
      free = middle + half;
      ctx.fillStyle = strong ? c.ink : c.muted;
      ctx.fillText(label, middle, bottom + 18);
    }
  }

  // Draws points of one look in one go: thousands of single circles would be slow.
  circles(ctx, indices, fill, edge) {
    ctx.beginPath();
    for (const i of indices) {
      ctx.moveTo(this.px[i] + this.pr[i], this.py[i]);
      ctx.arc(this.px[i], this.py[i], this.pr[i], 0, 2 * Math.PI);
    }
    ctx.fillStyle = fill;
    ctx.fill();
    if (edge) {
      ctx.strokeStyle = edge;
      ctx.stroke();
    }
  }

  crosses(ctx, indices, colour) {
    ctx.beginPath();
    for (const i of indices) {
      for (const [dx, dy] of [[-4, -4], [-4, 4]]) {
        ctx.moveTo(this.px[i] + dx, this.py[i] + dy);
        ctx.lineTo(this.px[i] - dx, this.py[i] - dy);
      }
    }
    ctx.strokeStyle = colour;
    ctx.lineWidth = 2;
    ctx.stroke();
  }

  // -- the upper layer

  paintBrush(ctx) {
    const area = this.brushed();
    if (!area) return;
    const c = this.explorer.colours;
    const [x, y, width, height] = area;
    ctx.fillStyle = c.accent;
    ctx.globalAlpha = 0.07;
    ctx.fillRect(x, y, width, height);
    ctx.globalAlpha = 1;
    ctx.strokeStyle = c.accent;
    ctx.lineWidth = 1;
    ctx.strokeRect(Math.round(x) + 0.5, Math.round(y) + 0.5, Math.round(width), Math.round(height));
  }

  // Where ranges of the two axes lie, [x, y, width, height]; null where neither is narrowed.
  rectangle(x, y) {
    if (!x && !y) return null;
    const { left, right, top, bottom } = this.area;
    const ends = (range, scale, low, high) => {
      if (!range) return [low, high];
      const pixels = range.map((end, i) => (Number.isFinite(end) ? scale.pixel(end) : scale.range[i]));
      return [Math.min(...pixels), Math.max(...pixels)].map((at) => Math.min(high, Math.max(low, at)));
    };
    const [x0, x1] = ends(x, this.x, left, right);
    const [y0, y1] = ends(y, this.y, top, bottom);
    return [x0, y0, x1 - x0, y1 - y0];
  }

  // Rings and names: the leading network, the selected one, and the one under the pointer.
  paintMarks(ctx) {
    const c = this.explorer.colours;
    const boxes = [];
    for (const { index, strong } of this.explorer.marks()) {
      const [x, y] = [this.px[index], this.py[index]];
      if (!this.inside(x, y, 8)) continue;
      const radius = this.pr[index] + 4.5;
      ctx.strokeStyle = strong ? c.accent : c.ink;
      ctx.lineWidth = strong ? 2 : 1.5;
      ctx.beginPath();
      ctx.arc(x, y, radius, 0, 2 * Math.PI);
      ctx.stroke();
      this.name(ctx, this.explorer.data.networks[index].name, x, y, radius, boxes);
    }
  }

  name(ctx, text, x, y, radius, boxes) {
    const c = this.explorer.colours;
    ctx.font = `600 ${FONT}px ${this.explorer.font}`;
    ctx.textAlign = "center";
    ctx.textBaseline = "middle";
    const half = ctx.measureText(text).width / 2;
    const [high, wide] = [radius + FONT * 0.75, radius + half + 5];
    const places = [[0, -high], [0, high], [wide, 0], [-wide, 0], [wide, -high], [-wide, -high], [wide, high], [-wide, high]];
    const free = ([dx, dy]) => {
      const box = [x + dx - half, y + dy - FONT / 2, x + dx + half, y + dy + FONT / 2];
      const outside = box[0] < 2 || box[2] > this.size.width - 2 || box[1] < 0 || box[3] > this.area.bottom + 6;
      return !outside && !boxes.some((other) => box[0] < other[2] && box[2] > other[0] && box[1] < other[3] && box[3] > other[1]);
    };
    const [dx, dy] = places.find(free) ?? places[0];
    boxes.push([x + dx - half, y + dy - FONT / 2, x + dx + half, y + dy + FONT / 2]);
    ctx.lineJoin = "round";
    ctx.lineWidth = 4;
    ctx.strokeStyle = c.card;
    ctx.strokeText(text, x + dx, y + dy);
    ctx.fillStyle = c.ink;
    ctx.fillText(text, x + dx, y + dy);
  }

  paintHint(ctx) {
    const { focused, from, data, colours: c } = this.explorer;
    const lines = this.hint?.lines ?? (focused != null && from === this ? this.lines(data.networks[focused]) : null);
    if (!lines) return;
    const [x, y] = this.hint?.at ?? [this.px[focused], this.py[focused]];
    ctx.font = `${FONT}px ${this.explorer.font}`;
    const width = Math.max(...lines.map((line) => ctx.measureText(line).width)) + 20;
    const height = lines.length * 18 + 12;
    const left = x + 16 + width > this.size.width ? Math.max(2, x - 16 - width) : x + 16;
    const top = Math.max(2, Math.min(y - height / 2, this.size.height - height - 2));
    ctx.fillStyle = c.card;
    ctx.strokeStyle = c.line;
    ctx.lineWidth = 1;
    ctx.beginPath();
    ctx.roundRect(left, top, width, height, 8);
    ctx.fill();
    ctx.stroke();
    ctx.fillStyle = c.ink;
    ctx.textAlign = "left";
    ctx.textBaseline = "middle";
    lines.forEach((line, i) => ctx.fillText(line, left + 10, top + 15 + i * 18));
  }

  // -- what pointers and keys ask for

  inside(x, y, air = 0) {
    const { left, top, right, bottom } = this.area;
    return x >= left - air && x <= right + air && y >= top - air && y <= bottom + air;
  }

  hit(x, y) {
    let [best, least] = [null, REACH ** 2];
    for (let i = 0; i < this.px.length; i += 1) {
      const distance = (this.px[i] - x) ** 2 + (this.py[i] - y) ** 2;
      const reach = Math.max(0, distance - this.pr[i] ** 2); // a large circle is hit anywhere inside
      if (reach < least || (reach === least && best == null)) [best, least] = [i, reach];
    }
    return best;
  }

  hover(x, y) {
    const index = this.inside(x, y, 8) ? this.hit(x, y) : null;
    this.over.classList.toggle("hit", index != null);
    this.hint = null;
    this.explorer.focus(index, this);
  }

  leave() {
    this.hint = null;
    this.explorer.focus(null, this);
  }

  click(x, y) {
    const index = this.hit(x, y);
    if (index != null) this.explorer.select(index);
    else if (this.inside(x, y)) this.unbrush();
  }

  open(x, y) {
    const index = this.hit(x, y);
    if (index != null) this.explorer.open(index);
  }

  zoom(factor, x, y) {
    this.window = { x: this.x.zoomed(factor, x), y: this.y.zoomed(factor, y) };
    this.draw();
  }

  zoomMiddle(factor) {
    const { left, right, top, bottom } = this.area;
    const at = this.explorer.focused;
    const middle = at != null && this.inside(this.px[at], this.py[at]) ? [this.px[at], this.py[at]] : [(left + right) / 2, (top + bottom) / 2];
    this.zoom(factor, ...middle);
    this.explorer.settle(true);
  }

  move(dx, dy) {
    this.window = { x: this.x.moved(dx), y: this.y.moved(dy) };
    this.draw();
  }

  wholly() {
    this.window = null;
    this.draw();
    this.explorer.settle(true);
  }

  // Brings a network into the window where it is outside.
  show(index) {
    if (!this.window || this.inside(this.px[index], this.py[index])) return;
    const { left, right, top, bottom } = this.area;
    if (Number.isFinite(this.px[index])) this.move((left + right) / 2 - this.px[index], (top + bottom) / 2 - this.py[index]);
  }

  // -- to keep

  svg() {
    const surface = new SvgSurface(this.size.width, this.size.height, this.explorer.colours.card);
    this.paint(surface);
    this.paintMarks(surface);
    return surface.toString();
  }
}
