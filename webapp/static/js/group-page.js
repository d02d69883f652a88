// The page of a sweep: a scatter of any two of its figures. Axes are the address's; the points come with the page.

import { axis, colours, prepare, tooltip } from "./charts/look.js";

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
    data: { datasets: [{ data: data.points, backgroundColor: `${c.accent}b3`, borderColor: c.accent, borderWidth: 1.5, radius: 6, hoverRadius: 8 }] },
    options: {
      animation: false,
      layout: { padding: { right: 16, top: 8 } },
      scales: { x: scale(c, data.x), y: scale(c, data.y) },
      onClick: (_event, [hit]) => { if (hit) location.href = `${canvas.dataset.run}${at(hit.index).run}/`; },
      onHover: (_event, hits) => canvas.classList.toggle("over", hits.length > 0),
      plugins: {
        tooltip: {
          ...tooltip(c),
          callbacks: {
            title: ([item]) => at(item.dataIndex).name,
            label: (item) => [`${data.x.label}: ${at(item.dataIndex).xs}`, `${data.y.label}: ${at(item.dataIndex).ys}`],
          },
        },
      },
    },
  });
}

// Names stand at whole places; figures are written as the page writes them.
function scale(c, told) {
  const names = told.names;
  if (names.length) {
    return axis(c, { title: told.label, min: -0.5, max: names.length - 0.5, ticks: { stepSize: 1, autoSkip: false, callback: (value) => names[value] ?? "" }, afterBuildTicks: (scale) => { scale.ticks = names.map((_, value) => ({ value })); } });
  }
  const percent = told.kind === "percent";
  return axis(c, { title: told.label, grace: "8%", ticks: { maxTicksLimit: 7, callback(value) { return percent ? `${(value * 100).toFixed(1)} %` : `${window.Chart.Ticks.formatters.numeric.apply(this, [value, 0, this.ticks ?? [{ value }]])}${told.kind === "times" ? "×" : ""}`; } } });
}

prepare();
draw();
document.addEventListener("eustress:theme", draw);
document.addEventListener("htmx:afterSwap", draw);

// While runs are under way the page is asked for again; not while somebody chooses an axis or looks elsewhere.
setInterval(() => {
  const group = document.getElementById("group");
  const busy = document.hidden || group.querySelector("[data-axes]")?.contains(document.activeElement);
  if (group.hasAttribute("hx-get") && !busy) window.htmx.trigger(group, "refresh");
}, 5000);
