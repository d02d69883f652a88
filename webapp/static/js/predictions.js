// What a detector finds: the threshold hides boxes at once. Pictures, and a classifier's images, turn without loading the
// page again.

import { replaceParts } from "./parts.js";

const section = () => document.getElementById("predictions");

function show(threshold) {
  document.getElementById("threshold-shown").textContent = `${Math.round(threshold * 100)} %`;
  for (const box of section().querySelectorAll("[data-score]")) box.classList.toggle("below", Number(box.dataset.score) < threshold);
}

// The address and every link keep the threshold, so that both can be passed on.
function keep(threshold) {
  const put = (query) => {
    if (threshold === 0.25) query.delete("threshold");
    else query.set("threshold", String(threshold));
    return query.toString();
  };
  for (const link of section().querySelectorAll("a[data-turns]")) {
    const address = new URL(link.href);
    address.search = put(address.searchParams);
    link.href = address.href;
  }
  const query = put(new URLSearchParams(location.search));
  history.replaceState(null, "", `${location.pathname}${query ? `?${query}` : ""}`);
}

async function turn(link) {
  const { id } = link.closest("section[id]");
  const address = new URL(link.href);
  const response = await fetch(link.href, { headers: { Accept: "text/html" } });
  if (!response.ok || response.redirected) return location.assign(link.href);
  replaceParts(await response.text());
  history.replaceState(null, "", address.pathname + address.search);
  const turned = document.getElementById(id);
  turned.scrollIntoView({ block: "start" });
  const heading = turned.querySelector("h2");
  heading.tabIndex = -1;
  heading.focus({ preventScroll: true });
}

document.addEventListener("input", (event) => {
  if (event.target.id === "threshold") show(Number(event.target.value));
});
document.addEventListener("change", (event) => {
  if (event.target.id === "threshold") keep(Number(event.target.value));
});
document.addEventListener("click", (event) => {
  const link = event.target.closest("section[id] a[data-turns]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  turn(link).catch(() => location.assign(link.href));
});
