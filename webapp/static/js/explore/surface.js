// Where drawings go: a sharp canvas on the page, or an SVG file. Both take the same calls, so a kept chart is the seen one.

export function sharpen(canvas) {
  const { clientWidth: width, clientHeight: height } = canvas.parentElement;
  const ratio = Math.min(3, window.devicePixelRatio || 1);
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const ctx = canvas.getContext("2d");
  ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
  ctx.clearRect(0, 0, width, height);
  return { ctx, width, height };
}

export const escaped = (text) => String(text).replace(/[&<>"]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c]);
export const n = (value) => Number(value.toFixed(2));
const STATE = ["fillStyle", "strokeStyle", "lineWidth", "globalAlpha", "font", "textAlign", "textBaseline", "lineJoin", "lineCap"];

// The part of a canvas's context that charts draw with, written as SVG. Transforms are translations and rotations.
export class SvgSurface {
  constructor(width, height, background) {
    Object.assign(this, { width, height, parts: [], defs: [], stack: [], path: "", dash: [], clipped: "", matrix: [1, 0, 0, 1, 0, 0] });
    Object.assign(this, { fillStyle: "#000", strokeStyle: "#000", lineWidth: 1, globalAlpha: 1, font: "13px sans-serif", textAlign: "left", textBaseline: "alphabetic", lineJoin: "miter", lineCap: "butt" });
    this.canvas = { width, height, style: {}, getContext: () => this }; // what Chart.js asks for
    this.measuring = document.createElement("canvas").getContext("2d");
    this.parts.push(`<rect width="100%" height="100%" fill="${background}"/>`);
  }

  at(x, y) {
    const [a, b, c, d, e, f] = this.matrix;
    return [n(a * x + c * y + e), n(b * x + d * y + f)];
  }

  save() {
    this.stack.push(Object.fromEntries([...STATE, "clipped", "matrix", "dash"].map((name) => [name, this[name]])));
  }

  restore() {
    Object.assign(this, this.stack.pop());
  }

  translate(x, y) {
    const [a, b, c, d, e, f] = this.matrix;
    this.matrix = [a, b, c, d, a * x + c * y + e, b * x + d * y + f];
  }

  rotate(angle) {
    const [a, b, c, d, e, f] = this.matrix;
    const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
    this.matrix = [a * cos + c * sin, b * cos + d * sin, c * cos - a * sin, d * cos - b * sin, e, f];
  }

  setLineDash(dash) {
    this.dash = dash;
  }

  getLineDash() {
    return this.dash;
  }

  beginPath() {
    this.path = "";
  }

  closePath() {
    this.path += "Z";
  }

  moveTo(x, y) {
    this.path += `M${this.at(x, y).join(" ")}`;
  }

  lineTo(x, y) {
    this.path += `${this.path ? "L" : "M"}${this.at(x, y).join(" ")}`;
  }

  bezierCurveTo(...at) {
    this.path += `C${[0, 2, 4].map((i) => this.at(at[i], at[i + 1]).join(" ")).join(" ")}`;
  }

  rect(x, y, width, height) {
    this.moveTo(x, y);
    for (const [dx, dy] of [[width, 0], [width, height], [0, height]]) this.lineTo(x + dx, y + dy);
    this.closePath();
  }

  arc(x, y, radius, from, to) {
    const whole = Math.abs(to - from) >= 2 * Math.PI - 1e-6;
    const point = (angle) => [x + radius * Math.cos(angle), y + radius * Math.sin(angle)];
    this.path += `${this.path && !whole ? "L" : "M"}${this.at(...point(from)).join(" ")}`;
    const legs = whole ? [from + Math.PI, from + 2 * Math.PI] : [to];
    for (const leg of legs) this.path += `A${n(radius)} ${n(radius)} 0 ${!whole && Math.abs(to - from) > Math.PI ? 1 : 0} ${to > from ? 1 : 0} ${this.at(...point(leg)).join(" ")}`;
  }

  clip() {
    const id = `clip${this.defs.length}`;
    this.defs.push(`<clipPath id="${id}"><path d="${this.path}"/></clipPath>`);
    this.clipped = ` clip-path="url(#${id})"`;
  }

  look(extra) {
    return `${extra}${this.globalAlpha < 1 ? ` opacity="${n(this.globalAlpha)}"` : ""}${this.clipped}`;
  }

  fill() {
    if (this.path) this.parts.push(`<path d="${this.path}" ${this.look(`fill="${this.fillStyle}"`)}/>`);
  }

  stroke() {
    const dash = this.dash.length ? ` stroke-dasharray="${this.dash.join(" ")}"` : "";
    if (this.path) this.parts.push(`<path d="${this.path}" ${this.look(`fill="none" stroke="${this.strokeStyle}" stroke-width="${n(this.lineWidth)}" stroke-linejoin="${this.lineJoin}"${dash}`)}/>`);
  }

  kept(draw) {
    const before = this.path;
    this.path = "";
    draw();
    this.path = before;
  }

  fillRect(...at) {
    this.kept(() => (this.rect(...at), this.fill()));
  }

  strokeRect(...at) {
    this.kept(() => (this.rect(...at), this.stroke()));
  }

  setTransform(...matrix) {
    this.matrix = matrix;
  }

  resetTransform() {
    this.matrix = [1, 0, 0, 1, 0, 0];
  }

  // Whoever clears everything begins anew, on the ground that is there.
  clearRect(_x, _y, width, height) {
    if (width >= this.width && height >= this.height) this.parts.length = 1;
  }

  measureText(text) {
    this.measuring.font = this.font;
    return this.measuring.measureText(text);
  }

  text(content, x, y, paint) {
    const anchor = { left: "start", start: "start", center: "middle", right: "end", end: "end" }[this.textAlign];
    const base = { middle: "central", top: "hanging", hanging: "hanging", bottom: "text-after-edge" }[this.textBaseline] ?? "auto";
    const [px, py] = this.at(x, y);
    const turned = this.matrix[1] ? ` transform="rotate(${n((Math.atan2(this.matrix[1], this.matrix[0]) * 180) / Math.PI)} ${px} ${py})"` : "";
    this.parts.push(`<text x="${px}" y="${py}" text-anchor="${anchor}" dominant-baseline="${base}"${turned} ${this.look(paint)} style="font:${escaped(this.font)}">${escaped(content)}</text>`);
  }

  fillText(content, x, y) {
    this.text(content, x, y, `fill="${this.fillStyle}"`);
  }

  strokeText(content, x, y) {
    this.text(content, x, y, `fill="none" stroke="${this.strokeStyle}" stroke-width="${n(this.lineWidth)}" stroke-linejoin="round"`);
  }

  toString() {
    return `<svg xmlns="http://www.w3.org/2000/svg" width="${this.width}" height="${this.height}" viewBox="0 0 ${this.width} ${this.height}"><defs>${this.defs.join("")}</defs>${this.parts.join("\n")}</svg>\n`;
  }
}
