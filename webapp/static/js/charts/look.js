// How charts look: colours from the page's CSS custom properties (so both themes serve), type that a phone can read.

export const FONT = 13; // CSS pixels; never below 12

export function colours() {
  const style = getComputedStyle(document.documentElement);
  const read = (name) => style.getPropertyValue(`--${name}`).trim();
  return Object.fromEntries(
    ["paper", "card", "ink", "muted", "line", "accent", "accent-soft", "ancestor", "first-generation", "last-generation", "other", "stress", "lost"].map((name) => [name, read(name)]),
  );
}

// A generation's colour: the ancestor's own, then by lightness from the first to the last.
export function generationColour(c, generation, last) {
  if (!generation) return c.ancestor;
  const share = last > 1 ? (generation - 1) / (last - 1) : 1;
  const mixed = [1, 3, 5].map((at) => {
    const [from, to] = [c["first-generation"], c["last-generation"]].map((colour) => parseInt(colour.slice(at, at + 2), 16));
    return Math.round(from + (to - from) * share);
  });
  return `rgb(${mixed.join(", ")})`;
}

export function prepare() {
  const chart = window.Chart;
  const body = getComputedStyle(document.body);
  chart.defaults.font.family = body.fontFamily;
  chart.defaults.font.size = FONT;
  chart.defaults.maintainAspectRatio = false;
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) chart.defaults.animation = false;
  else chart.defaults.animation.duration = 250;
  chart.defaults.plugins.legend.display = false;
}

// Options that every chart of the page shares; `c` are the colours of the present theme.
export function tooltip(c) {
  return {
    backgroundColor: c.card,
    borderColor: c.line,
    borderWidth: 1,
    titleColor: c.ink,
    bodyColor: c.ink,
    padding: 10,
    cornerRadius: 8,
    displayColors: false,
    titleFont: { size: FONT + 1, weight: "600" },
    bodyFont: { size: FONT },
  };
}

export function axis(c, more) {
  const { ticks, title, grid, ...rest } = more;
  return {
    display: true, // the graph type hides its axes unless asked
    border: { display: false },
    grid: { color: c.line, drawTicks: false, ...grid },
    ticks: { color: c.muted, font: { size: FONT }, padding: 8, ...ticks },
    title: title ? { display: true, text: title, color: c.muted, font: { size: FONT } } : { display: false },
    ...rest,
  };
}

// Percentages with as many digits as their steps need.
export const percentTicks = (value, _index, ticks) => {
  if (value > 1.0001) return "";
  const step = ticks.length > 1 ? Math.abs(ticks[1].value - ticks[0].value) : 1;
  return `${(value * 100).toFixed(step < 0.00999 ? 1 : 0)} %`;
};

// Draws rings and names around the points that matter, above everything else.
// `marks()` gives [{index, name, strong}]; the dataset whose points are meant is number `dataset`.
export function rings(marks, dataset = 0) {
  return {
    id: "rings",
    afterDatasetsDraw(chart) {
      const c = chart.$colours;
      const points = chart.getDatasetMeta(dataset).data;
      const { ctx, chartArea: area } = chart;
      for (const mark of marks()) {
        const point = points[mark.index];
        if (!point || point.skip || point.x < area.left - 4 || point.x > area.right + 4 || point.y < area.top - 4 || point.y > area.bottom + 4) continue;
        const radius = (point.options.radius || 4) + 4.5;
        ctx.save();
        ctx.strokeStyle = mark.strong ? c.accent : c.ink;
        ctx.lineWidth = 1.5;
        ctx.beginPath();
        ctx.arc(point.x, point.y, radius, 0, 2 * Math.PI);
        ctx.stroke();
        ctx.font = `600 ${FONT}px ${window.Chart.defaults.font.family}`;
        ctx.textAlign = "center";
        ctx.textBaseline = "middle";
        const { x, y } = place(point, radius, ctx.measureText(mark.name).width, points, area);
        ctx.lineWidth = 4;
        ctx.lineJoin = "round";
        ctx.strokeStyle = c.card;
        ctx.strokeText(mark.name, x, y);
        ctx.fillStyle = c.ink;
        ctx.fillText(mark.name, x, y);
        ctx.restore();
      }
    },
  };
}

// Where a point's name lies freest: beside the ring, above or below it, inside the chart and away from other points.
function place(point, radius, width, points, area) {
  const high = radius + FONT * 0.75;
  const wide = radius + width / 2 + 5;
  const choices = [[0, -high], [0, high], [wide, 0], [-wide, 0], [wide, -high * 0.8], [-wide, -high * 0.8], [wide, high * 0.8], [-wide, high * 0.8]];
  let best = null;
  for (const [dx, dy] of choices) {
    const x = point.x + dx;
    const y = point.y + dy;
    const outside = x - width / 2 < area.left - 6 || x + width / 2 > area.right + 20 || y - FONT / 2 < area.top - 8 || y + FONT / 2 > area.bottom + 4;
    let crossed = outside ? 20 : 0;
    for (const other of points) {
      if (other === point || other.skip) continue;
      const gap = (other.options.radius || 4) + 2;
      if (Math.abs(other.x - x) < width / 2 + gap && Math.abs(other.y - y) < FONT / 2 + gap) crossed += 1;
    }
    if (!best || crossed < best.crossed) best = { x, y, crossed };
    if (crossed === 0) break;
  }
  return best;
}
