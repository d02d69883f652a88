// Keeps a chart of Chart.js: as a picture of its canvas, or as a drawing of the axes, lines and points that it shows.

import { SvgSurface } from "../explore/surface.js";
import { colours, FONT } from "./look.js";

// chart(): the Chart.js object once there is one
export function keeper(chart) {
  return {
    svg: () => new Blob([draw(chart()).toString()], { type: "image/svg+xml" }),
    png: () => {
      const { canvas } = chart();
      const copy = document.createElement("canvas");
      [copy.width, copy.height] = [canvas.width, canvas.height];
      const ctx = copy.getContext("2d");
      ctx.fillStyle = colours().card;
      ctx.fillRect(0, 0, copy.width, copy.height);
      ctx.drawImage(canvas, 0, 0);
      return new Promise((done) => copy.toBlob(done, "image/png"));
    },
  };
}

function draw(chart) {
  const c = colours();
  const ctx = new SvgSurface(chart.width, chart.height, c.card);
  const { left, right, bottom } = chart.chartArea;
  ctx.font = `${FONT}px ${window.Chart.defaults.font.family}`;
  ctx.fillStyle = c.muted;
  ctx.strokeStyle = c.line;
  ctx.textBaseline = "middle";
  ctx.textAlign = "right";
  for (const [i, tick] of chart.scales.y.ticks.entries()) {
    const y = chart.scales.y.getPixelForTick(i);
    ctx.beginPath();
    ctx.moveTo(left, y);
    ctx.lineTo(right, y);
    ctx.stroke();
    ctx.fillText(tick.label ?? "", left - 8, y);
  }
  ctx.textAlign = "center";
  for (const [i, tick] of chart.scales.x.ticks.entries()) ctx.fillText(tick.label ?? "", chart.scales.x.getPixelForTick(i), bottom + 16);
  const { title } = chart.scales.x.options;
  if (title.display) ctx.fillText(title.text, (left + right) / 2, chart.height - 8);
  for (const meta of chart.getSortedVisibleDatasetMetas()) paint(ctx, meta, chart.data.datasets[meta.index]);
  return ctx;
}

function paint(ctx, meta, set) {
  const points = meta.data.filter((point) => !point.skip);
  if (meta.type === "line") {
    ctx.beginPath();
    points.forEach(({ x, y }, i) => (i ? ctx.lineTo(x, y) : ctx.moveTo(x, y)));
    ctx.strokeStyle = set.borderColor;
    ctx.lineWidth = set.borderWidth;
    ctx.setLineDash(set.borderDash ?? []);
    ctx.stroke();
    ctx.setLineDash([]);
  }
  for (const { x, y, options } of points) {
    if (!options.radius) continue;
    ctx.beginPath();
    ctx.arc(x, y, options.radius, 0, 2 * Math.PI);
    ctx.fillStyle = options.backgroundColor;
    ctx.fill();
  }
}
