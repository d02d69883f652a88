// The page's view and its address: what webapp/runs/view.py reads, read and written here while somebody explores.

import { measures } from "./measures.js";

const RANGED = ["generation", ...Object.keys(measures)];
const one = (query, name, known, fallback = "") => (known.includes(query.get(name)) ? query.get(name) : fallback);

export function readView(search = location.search) {
  const query = new URLSearchParams(search);
  const ranges = {};
  for (const key of RANGED) {
    const parts = (query.get(key) ?? "").split("..");
    const ends = [0, 1].map((i) => {
      const text = query.get(`${key}.${i ? "to" : "from"}`) || parts[i] || "";
      return text.trim() === "" || !Number.isFinite(Number(text)) ? null : Number(text);
    });
    if (ends.some((end) => end != null)) ranges[key] = ends;
  }
  return {
    height: one(query, "height", Object.keys(measures), "accuracy"),
    cost: one(query, "cost", ["parameters", "macs", "bytes", "memory", "latency"], "parameters"),
    hscale: one(query, "hscale", ["log", "linear"]),
    xscale: one(query, "xscale", ["log", "linear"]),
    yscale: one(query, "yscale", ["log", "linear"]),
    network: query.get("network") ?? "",
    against: query.get("against") ?? "",
    q: (query.get("q") ?? "").trim(),
    fold: query.get("fold") ?? "",
    look: readWindow(query.get("look")),
    zoom: readWindow(query.get("zoom")),
    lines: query.get("lines") === "1",
    compare: (query.get("compare") ?? "").split(",").filter(Boolean),
    ranges,
  };
}

// Puts changes into the address without leaving the page; null or "" takes a name out.
export function writeAddress(changes) {
  const query = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(changes)) {
    if (name === "ranges") {
      for (const key of RANGED) {
        for (const old of [key, `${key}.from`, `${key}.to`]) query.delete(old);
        const ends = value[key];
        if (ends) query.set(key, ends.map((end) => end ?? "").join(".."));
      }
    } else if (value) query.set(name, value);
    else query.delete(name);
  }
  for (const [name, value] of [...query]) if (!value) query.delete(name);
  const text = query.toString().replaceAll("%2C", ",");
  history.replaceState(null, "", text ? `?${text}` : location.pathname);
}

function readWindow(text) {
  const ends = (text ?? "").split(",").map(Number);
  return text && ends.length === 4 && ends.every(Number.isFinite) ? { x: ends.slice(0, 2), y: ends.slice(2) } : null;
}

export const windowText = (window) => (window ? [...window.x, ...window.y].map((end) => Number(end.toPrecision(6))).join(",") : "");
