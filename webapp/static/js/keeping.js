// Keeping what is seen: every chart, and every table that is drawn, as a drawing (SVG) or a picture of it (PNG). Both
// are in light colours, whatever the page's: they go into reports, on white. The buttons and the links to files stand in
// templates/partials/_keep.html.

import { framed } from "./charts/framed.js";
import { pictureOf } from "./charts/picture.js";

const SHARPNESS = 2; // pixels of a picture for one of the page
const charts = new Map();

// drawing(): the chart as SVG text, or null while there is none. What is not offered is drawn from the page, by its id.
export function offer(name, drawing) {
  charts.set(name, drawing);
}

document.addEventListener("click", (event) => {
  const file = event.target.closest("a[data-follows]");
  if (file) file.search = location.search; // what is kept is what is seen
  const button = event.target.closest("button[data-keeps]");
  if (button) keep(button);
});

async function keep(button) {
  const { keeps, plot, of } = button.dataset;
  const part = document.getElementById(plot);
  const svg = window.eustressTheme.inLight(() => {
    const drawing = charts.has(plot) ? charts.get(plot)() : part && pictureOf(part);
    return drawing && framed(drawing, button.closest(".panel"));
  });
  if (!svg) return;
  save(keeps === "svg" ? new Blob([svg], { type: "image/svg+xml" }) : await picture(svg), `${plot}-${of}.${keeps}`);
}

async function picture(svg) {
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}`;
  await image.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [image.naturalWidth * SHARPNESS, image.naturalHeight * SHARPNESS];
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((done) => canvas.toBlob(done, "image/png"));
}

function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
