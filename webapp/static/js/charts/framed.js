// A chart to keep says what it is: its panel's heading and the page's above it, its legend below.

import { escaped, n } from "../explore/surface.js";
import { colours } from "./look.js";
import { pictureOf } from "./picture.js";

const MARGIN = 16;
const HEAD = 46;

// svg: the chart alone; panel: where it stands on the page
export function framed(svg, panel) {
  const legend = panel?.querySelector(".legend");
  const parts = [svg, ...(legend ? [pictureOf(legend)] : [])].map(inner);
  const width = Math.max(...parts.map((part) => part.width)) + 2 * MARGIN;
  let y = HEAD;
  const placed = parts.map((part) => {
    const text = `<svg x="${MARGIN}" y="${n(y)}" overflow="visible" ${part.rest}`;
    y += part.height;
    return text;
  });
  const height = Math.ceil(y + MARGIN);
  const c = colours();
  const font = getComputedStyle(document.body).fontFamily;
  const heading = panel?.querySelector("h2")?.textContent.trim() ?? "";
  const of = document.querySelector("h1")?.textContent.trim() ?? "";
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="${escaped(font)}">
<rect width="100%" height="100%" fill="${c.card}"/>
<text x="${MARGIN}" y="28" font-size="15" font-weight="620" fill="${c.ink}">${escaped(heading)}<tspan dx="8" font-size="13" font-weight="400" fill="${c.muted}">${escaped(of)}</tspan></text>
${placed.join("\n")}
</svg>
`;
}

// The drawing's own size, and its text from there on.
function inner(svg) {
  const [, width, height] = svg.match(/width="([\d.]+)" height="([\d.]+)"/);
  return { width: Number(width), height: Number(height), rest: svg.slice(svg.indexOf("width=")) };
}
