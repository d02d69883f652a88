// The two charts of a comparison. Each thing compared has a colour, a shape and a letter; the letter stands at its end.

import { costs, percent } from "./format.js";
import { axis, colours, FONT, percentTicks, tooltip } from "./look.js";

const SHAPES = ["circle", "rect", "triangle", "rectRot", "circle", "rect", "triangle", "rectRot"]; // the second four are hollow

export function series() {
  const style = getComputedStyle(document.documentElement);
  return SHAPES.map((_, i) => style.getPropertyValue(`--s${i}`).trim());
}

// Letters beside the points that matter; `marks()` gives [{x, y, letter, colour}] in the axes' units.
function letters(marks, c) {
  return {
    id: "letters",
    afterDatasetsDraw(chart) {
      const { ctx, chartArea: area, scales } = chart;
      const taken = [];
      for (const mark of [...marks()].sort((a, b) => b.y - a.y)) { // from above: a letter that has to give way goes down
        const x = Math.min(scales.x.getPixelForValue(mark.x) + 10, area.right + 12);
        let y = Math.max(area.top + 6, scales.y.getPixelForValue(mark.y));
        while (taken.some((place) => Math.abs(place.x - x) < 12 && Math.abs(place.y - y) < FONT)) y += FONT;
        taken.push({ x, y });
        ctx.save();
        ctx.font = `700 ${FONT}px ${window.Chart.defaults.font.family}`;
        ctx.textAlign = "left";
        ctx.textBaseline = "middle";
        ctx.lineWidth = 4;
        ctx.lineJoin = "round";
        ctx.strokeStyle = c.card;
        ctx.strokeText(mark.letter, x, y);
        ctx.fillStyle = mark.colour;
        ctx.fillText(mark.letter, x, y);
        ctx.restore();
      }
    },
  };
}

const point = (number, colour, c, radius) => ({
  pointStyle: SHAPES[number],
  pointRadius: radius,
  pointHoverRadius: radius + 2,
  pointHitRadius: 8,
  pointBackgroundColor: number < 4 ? colour : c.card,
  pointHoverBackgroundColor: number < 4 ? colour : c.card,
  pointBorderColor: colour,
  pointHoverBorderColor: colour,
  pointBorderWidth: 1.5,
});
// Nothing is better than all of it, or worse than nothing: where the axis would reach beyond, it ends there.
function upTo(points) {
  const figures = points.map((one) => one.y);
  const [least, most] = [Math.min(...figures), Math.max(...figures)];
  const room = 0.3 * (most - least);
  return { ...(most + room > 1 ? { max: 1 } : {}), ...(least - room < 0 ? { min: 0 } : {}) };
}

// Of a logarithmic axis' ticks the roundest ones, evenly apart, and no more than there is room for.
function roundTicks(ticks, most) {
  const head = ({ value }) => Number((value / 10 ** Math.floor(Math.log10(value) + 1e-9)).toFixed(6));
  const kept = [[1, 2, 5], [1, 3], [1]].map((heads) => ticks.filter((tick) => heads.includes(head(tick))));
  return kept.find((some) => some.length <= most) ?? kept[2];
}

const bare = { pointRadius: 0, pointHitRadius: 0, pointHoverRadius: 0 };

export function curves(canvas, data) {
  const c = colours();
  const palette = series();
  const datasets = data.entries.map((entry) => ({
    label: `${entry.letter}, ${entry.title}`,
    data: entry.curve,
    borderColor: palette[entry.number],
    borderWidth: 1.75,
    borderDash: entry.number < 4 ? [] : [5, 3],
    clip: 8,
    ...point(entry.number, palette[entry.number], c, entry.curve.length > 40 ? 0 : 3),
  }));
  for (const group of data.means) {
    const colour = palette[group.number];
    datasets.push({ data: group.low, borderWidth: 0, ...bare });
    datasets.push({ data: group.high, borderWidth: 0, fill: "-1", backgroundColor: `${colour}22`, ...bare });
    datasets.push({ data: group.mean, borderColor: colour, borderWidth: 3, ...bare });
  }
  const narrow = canvas.parentElement.clientWidth < 420;
  const ends = data.entries.filter((entry) => entry.curve.length).map((entry) => ({ ...entry.curve.at(-1), letter: entry.letter, colour: palette[entry.number] }));
  const seconds = data.align === "time";
  return new window.Chart(canvas, {
    type: "line",
    data: { datasets },
    plugins: [letters(() => ends, c)],
    options: {
      layout: { padding: { top: 8, right: 24 } },
      parsing: false,
      plugins: {
        tooltip: {
          ...tooltip(c),
          filter: (item) => item.datasetIndex < data.entries.length,
          callbacks: { title: (items) => items[0]?.dataset.label ?? "", label: ({ raw }) => [`${percent(raw.y)} ${data.metric}`, `${raw.network}, ${raw.phase}, at ${raw.x.toFixed(1)} ${seconds ? "seconds" : "epochs"}`] },
        },
      },
      scales: {
        x: axis(c, { type: "linear", min: 0, grid: { display: false }, title: seconds ? "seconds of training, down the line of descent" : "epochs of training, down the line of descent", ticks: { maxTicksLimit: narrow ? 5 : 9, maxRotation: 0 } }),
        y: axis(c, { grace: "6%", ...upTo(data.entries.flatMap((entry) => entry.curve)), ticks: { maxTicksLimit: narrow ? 5 : 8, callback: percentTicks } }),
      },
    },
  });
}

export function tradeoff(canvas, data) {
  const c = colours();
  const palette = series();
  const cost = costs[data.cost];
  const datasets = [];
  const marks = data.entries.filter((entry) => entry.point?.x != null && entry.point.y != null).map((entry) => ({ ...entry.point, letter: entry.letter, number: entry.number, run: entry.run, colour: palette[entry.number] }));
  // the first lies on top: what is compared wears its own colour and shape, over its run's
  for (const mark of marks) datasets.push({ label: mark.run, data: [mark], ...point(mark.number, mark.colour, c, 4.5) });
  const marked = new Set(marks.map((mark) => mark.url));
  const unlessMarked = (radius) => ({ raw }) => (marked.has(raw?.url) ? 0 : radius);
  const ofOneRun = data.runs.length === 1 && data.entries.length > 1; // whose other networks are none of theirs
  for (const run of data.runs) {
    const colour = ofOneRun ? c.muted : palette[run.number];
    datasets.push({ label: run.title, data: run.others, ...point(run.number, `${colour}88`, c, 3), pointRadius: unlessMarked(3), pointBorderWidth: 0.75 });
    datasets.push({ label: run.title, data: run.front, showLine: true, borderColor: colour, borderWidth: 1.75, borderDash: run.number < 4 ? [] : [5, 3], ...point(run.number, colour, c, 4.5), pointRadius: unlessMarked(4.5) });
  }
  datasets.push({ label: "compared", data: marks, pointStyle: "circle", pointRadius: 8, pointHoverRadius: 8, pointHitRadius: 0, pointBackgroundColor: "transparent", pointHoverBackgroundColor: "transparent", pointBorderColor: c.ink, pointBorderWidth: 1.5 });
  const values = data.runs.flatMap((run) => [...run.front, ...run.others]).map((one) => one.x);
  const narrow = canvas.parentElement.clientWidth < 420;
  return new window.Chart(canvas, {
    type: "scatter",
    data: { datasets },
    plugins: [letters(() => marks, c)],
    options: {
      layout: { padding: { top: 8, right: 24 } },
      onClick: (_event, hits) => hits.length && location.assign(datasets[hits[0].datasetIndex].data[hits[0].index].url),
      onHover: (_event, hits) => canvas.classList.toggle("over", hits.length > 0),
      plugins: {
        tooltip: {
          ...tooltip(c),
          filter: (item, index, items) => item.dataset.label !== "compared" && items.findIndex((one) => one.raw.url === item.raw.url) === index,
          callbacks: { title: (items) => (items[0] ? `${items[0].raw.name} of ${items[0].dataset.label}` : ""), label: ({ raw }) => [`${percent(raw.y)} ${data.metric}`, `${cost.value(raw.x)} ${cost.label}`] },
        },
      },
      scales: {
        x: axis(c, { type: "logarithmic", reverse: true, min: Math.min(...values) / 1.35, max: Math.max(...values) * 1.35, grid: { display: false }, title: `${cost.label}, less to the right`, ticks: { maxRotation: 0, autoSkip: false, callback: (v) => cost.tick(v) }, afterBuildTicks: (scale) => { scale.ticks = roundTicks(scale.ticks, narrow ? 4 : 7); } }),
        y: axis(c, { grace: "6%", ...upTo(data.runs.flatMap((run) => [...run.front, ...run.others])), ticks: { maxTicksLimit: narrow ? 5 : 8, callback: percentTicks } }),
      },
    },
  });
}
