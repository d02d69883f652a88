// The page of a sweep: a scatter of any two of its figures. Axes are the address's; the points come with the page.

import { svgOf } from "./charts/drawing.js";
import { axis, colours, prepare, tooltip } from "./charts/look.js";
import { keepFresh } from "./fresh.js";
import { offer } from "./keeping.js";

let chart = null;

function draw() {
  chart?.destroy();
  chart = null;
  const canvas = document.getElementById("scatter-chart");
  if (!canvas) return;
  const data = JSON.parse(canvas.dataset.scatter);
  const home = canvas.closest(".chart");
  const none = data.points.length === 0;
  home.classList.toggle("empty", none);
  home.querySelector(".chart-empty").hidden = !none;
  if (none) return;
  const c = colours();
  const at = (index) => data.points[index];
  chart = new window.Chart(canvas, {
    type: "scatter",
    data: { datasets: [means(c, data), { data: data.points, backgroundColor: `${c.accent}b3`, borderColor: c.accent, borderWidth: 1.5, radius: 6, hoverRadius: 8 }] },
    options: {
      layout: { padding: { right: 16, top: 8 } },
      scales: { x: scale(c, data.x), y: scale(c, data.y) },
      onClick: (_event, hits) => { const hit = hits.find((one) => one.datasetIndex === 1); if (hit) location.href = `${canvas.dataset.run}${at(hit.index).run}/`; },
      onHover: (_event, hits) => canvas.classList.toggle("over", hits.length > 0),
      plugins: {
        tooltip: {
          ...tooltip(c),
          filter: (item) => item.datasetIndex === 1,
          callbacks: {
            title: ([item]) => at(item.dataIndex).name,
            label: (item) => [`${data.x.label}: ${at(item.dataIndex).xs}`, `${data.y.label}: ${at(item.dataIndex).ys}`],
          },
        },
      },
    },
  });
}

// A dash at the mean of the runs that share a setting; none where the axis is a figure that each run has for itself.
function means(c, data) {
  const groups = new Map();
  if (!data.x.kind) for (const point of data.points) groups.set(point.x, [...(groups.get(point.x) ?? []), point.y]);
  const several = [...groups].filter(([, values]) => values.length > 1);
  const points = several.map(([x, values]) => ({ x, y: values.reduce((sum, value) => sum + value, 0) / values.length }));
  return { data: points, pointStyle: "line", borderColor: c.ink, borderWidth: 2, radius: 18, hoverRadius: 18 };
}

// Names stand at whole places; figures are written as the page writes them.
function scale(c, told) {
  const names = told.names;
  if (names.length) {
    return axis(c, { title: told.label, min: -0.5, max: names.length - 0.5, ticks: { stepSize: 1, autoSkip: false, callback: (value) => names[value] ?? "" }, afterBuildTicks: (scale) => { scale.ticks = names.map((_, value) => ({ value })); } });
  }
  const percent = told.kind === "percent";
  return axis(c, { title: told.label, grace: "8%", ticks: { maxTicksLimit: 7, callback(value) { return percent ? `${(value * 100).toFixed(1)} %` : `${window.Chart.Ticks.formatters.numeric.apply(this, [value, 0, this.ticks ?? [{ value }]]).replace("-", "\u2212")}${told.kind === "times" ? "×" : ""}`; } } });
}

keepFresh("group-head", 5000); // before anything is drawn
prepare();
draw();
offer("scatter", () => svgOf(chart));
document.addEventListener("eustress:theme", draw);
document.addEventListener("eustress:parts", ({ detail }) => detail.includes("group-scatter") && draw());
