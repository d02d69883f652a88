// What a page shows without a canvas (small SVG, shaded tables, bars, words) as one SVG drawing that needs no style sheet.

import { escaped, n } from "../explore/surface.js";

const COPIED = ["fill", "stroke", "stroke-width", "stroke-dasharray", "stroke-linejoin", "opacity", "vector-effect"];
const COPIED_OF_TEXT = ["text-anchor", "font-family", "font-size", "font-weight"];
const CLEAR = "rgba(0, 0, 0, 0)";

export function pictureOf(root) {
  const scroller = root.closest(".tablewrap, .scroll, .drawing");
  const scrolled = scroller && [scroller.scrollLeft, scroller.scrollTop];
  scroller?.scrollTo({ left: 0, top: 0, behavior: "instant" }); // headings that stick are where they belong
  const box = root.getBoundingClientRect();
  const parts = [...grounds(root), ...drawings(root), ...words(root)];
  scroller?.scrollTo({ left: scrolled[0], top: scrolled[1], behavior: "instant" });
  const [width, height] = [box.width, box.height].map(Math.ceil);
  const head = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="${n(box.left)} ${n(box.top)} ${width} ${height}">`;
  return `${[head, ...parts].join("\n")}\n</svg>\n`;
}

const seen = (element) => element.checkVisibility() && !element.closest(".visually-hidden, .zoom, .switch, .btn, summary, [data-screen]");

// Shaded cells, keys of legends, and the lines between rows.
function grounds(root) {
  return [root, ...root.querySelectorAll("*")].flatMap((element) => {
    if (element.parentElement.closest("svg") || !seen(element)) return [];
    const style = getComputedStyle(element);
    const { left, top, bottom, width, height } = element.getBoundingClientRect();
    const found = [];
    if (style.backgroundColor !== CLEAR) found.push(`<rect x="${n(left)}" y="${n(top)}" width="${n(width)}" height="${n(height)}" rx="${parseFloat(style.borderTopLeftRadius) || 0}" fill="${plain(style.backgroundColor)}"/>`);
    if (element.matches(".key")) found.push(...sign(element, style));
    if (element.matches("svg") && parseFloat(style.borderLeftWidth)) found.push(`<rect x="${n(left)}" y="${n(top)}" width="1" height="${n(height)}" fill="${plain(style.borderLeftColor)}"/>`);
    if (element.matches("th, td, svg") && parseFloat(style.borderBottomWidth)) found.push(`<rect x="${n(left)}" y="${n(bottom - 1)}" width="${n(width)}" height="1" fill="${plain(style.borderBottomColor)}"/>`);
    return found;
  });
}

// A legend's key that is more than a ground: a ring, a dash, a letter.
function sign(element, style) {
  const { left, right, top, bottom, width, height } = element.getBoundingClientRect();
  const [x, y, thick] = [(left + right) / 2, (top + bottom) / 2, parseFloat(style.borderTopWidth)];
  const colour = plain(style.borderTopColor);
  const { content, color } = getComputedStyle(element, "::before");
  if (/^".+"$/.test(content)) return [`<text x="${n(x)}" y="${n(y)}" text-anchor="middle" dominant-baseline="central" font-weight="700" font-size="16" fill="${plain(color)}">${escaped(content.slice(1, -1))}</text>`];
  if (!thick) return [];
  if (!parseFloat(style.borderBottomWidth)) return [`<path d="M${n(left)} ${n(top)}h${n(width)}" stroke="${colour}" stroke-width="${thick}"${style.borderTopStyle === "dashed" ? ' stroke-dasharray="4 3"' : ""}/>`];
  return [`<rect x="${n(left + thick / 2)}" y="${n(top + thick / 2)}" width="${n(width - thick)}" height="${n(height - thick)}" rx="${n(width / 2)}" fill="none" stroke="${colour}" stroke-width="${thick}"/>`];
}

// Drawings of the page's own, with what its style sheets say of them written into them.
function drawings(root) {
  const whole = root.matches("svg") ? [root] : [...root.querySelectorAll("svg")].filter((svg) => !svg.parentElement.closest("svg") && seen(svg));
  return whole.map((svg) => {
    const { left, top, width, height } = svg.getBoundingClientRect();
    const copy = svg.cloneNode(true);
    const [from, to] = [svg, copy].map((one) => [one, ...one.querySelectorAll("*")]);
    from.forEach((element, i) => dress(to[i], getComputedStyle(element)));
    from.forEach((element, i) => element.matches("image") && to[i].setAttribute("href", enclosed(element)));
    from.forEach((element, i) => element.matches("svg svg polyline") && copy.append(laid(to[i], element, svg)));
    for (const [name, value] of Object.entries({ x: left, y: top, width, height })) copy.setAttribute(name, n(value));
    return new XMLSerializer().serializeToString(copy);
  });
}

// A line within a stretched drawing, laid out in its own: so its width is not stretched, whatever the picture's size.
function laid(copy, line, svg) {
  const matrix = svg.getScreenCTM().inverse().multiply(line.getScreenCTM());
  const points = [...line.points].map((point) => point.matrixTransform(matrix));
  copy.setAttribute("points", points.map(({ x, y }) => `${n(x)},${n(y)}`).join(" "));
  copy.removeAttribute("vector-effect");
  return copy;
}

// A picture within a drawing goes with it: by its address alone a file would not find it.
function enclosed(picture) {
  const { width, height } = picture.getBoundingClientRect();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width, height].map((side) => Math.max(1, Math.round(2 * side)));
  const ctx = canvas.getContext("2d");
  ctx.imageSmoothingEnabled = getComputedStyle(picture).imageRendering !== "pixelated";
  ctx.drawImage(picture, 0, 0, canvas.width, canvas.height);
  return canvas.toDataURL();
}

function dress(element, style) {
  for (const name of [...element.getAttributeNames()]) if (/^(class|id|role|title|aria-.*|data-.*)$/.test(name)) element.removeAttribute(name);
  for (const name of element.matches("text, tspan") ? [...COPIED, ...COPIED_OF_TEXT] : COPIED) {
    const value = style.getPropertyValue(name);
    if (value) element.setAttribute(name, name === "fill" || name === "stroke" ? plain(value) : value);
  }
  if (style.overflow === "visible" && element.localName === "svg") element.setAttribute("overflow", "visible");
  if (style.display === "none") element.setAttribute("display", "none");
}

// Every line of text where it stands.
function words(root) {
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  const found = [];
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    if (!node.data.trim() || element.closest("svg") || !seen(element)) continue;
    const style = getComputedStyle(element);
    for (const line of lines(node)) {
      const text = `<text x="${n(line.left)}" y="${n((line.top + line.bottom) / 2)}" dominant-baseline="central" fill="${plain(style.color)}" font-family="${escaped(style.fontFamily)}" font-size="${style.fontSize}" font-weight="${style.fontWeight}">${escaped(line.text)}</text>`;
      found.push(cutOff(element, style) ? within(element, text) : text);
    }
  }
  return found;
}

const cutOff = (element, style) => style.overflowX !== "visible" && element.scrollWidth > element.clientWidth + 1;

function within(element, text) {
  const { left, top, width, height } = element.getBoundingClientRect();
  const place = [left, top, width, height].map(n);
  return `<svg x="${place[0]}" y="${place[1]}" width="${place[2]}" height="${place[3]}" viewBox="${place.join(" ")}" overflow="hidden">${text}</svg>`;
}

function lines(node) {
  const found = [];
  const range = document.createRange();
  for (const { index, 0: word } of node.data.matchAll(/\S+/g)) {
    range.setStart(node, index);
    range.setEnd(node, index + word.length);
    const { left, top, bottom } = range.getBoundingClientRect();
    const last = found.at(-1);
    if (last && Math.abs(last.top - top) < 2) last.text += ` ${word}`;
    else if (bottom > top) found.push({ left, top, bottom, text: word });
  }
  return found;
}

// A colour as every program reads it: mixed ones are not.
const known = new Map();
const pixel = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
function plain(colour) {
  if (!/^(color|oklab|oklch|lab|lch)\(/.test(colour)) return colour.replaceAll('"', "'");
  if (!known.has(colour)) {
    pixel.clearRect(0, 0, 1, 1);
    pixel.fillStyle = colour;
    pixel.fillRect(0, 0, 1, 1);
    const [red, green, blue, alpha] = pixel.getImageData(0, 0, 1, 1).data;
    known.set(colour, alpha === 255 ? `rgb(${red}, ${green}, ${blue})` : `rgba(${red}, ${green}, ${blue}, ${n(alpha / 255)})`);
  }
  return known.get(colour);
}
