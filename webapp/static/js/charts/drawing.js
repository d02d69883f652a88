// A chart of Chart.js as SVG: it is drawn once more, by the same settings, onto a surface that writes down what is drawn.

import { SvgSurface } from "../explore/surface.js";
import { colours } from "./look.js";

// A line is kept in a Path2D, which nobody can read; one that has segments of its own is drawn point by point.
const legibly = {
  id: "legibly",
  beforeDatasetDraw(_chart, { meta }) {
    if (meta.dataset?.options) meta.dataset.options = Object.create(meta.dataset.options, { segment: { value: true } });
  },
};

// chart: the Chart.js object, or null while there is none
export function svgOf(chart) {
  if (!chart) return null;
  const surface = new SvgSurface(chart.width, chart.height, colours().card);
  const { type, data, options, plugins = [] } = chart.config;
  const copy = new window.Chart(surface.canvas, {
    type,
    data: { ...data, datasets: data.datasets.map((set) => ({ ...set })) },
    options: { ...options, responsive: false, devicePixelRatio: 1, events: [] },
    plugins: [...plugins, legibly],
    platform: window.Chart.platforms.BasicPlatform,
  });
  const svg = surface.toString();
  copy.destroy();
  return svg;
}
