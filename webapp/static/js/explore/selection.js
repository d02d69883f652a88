// The one selection: ranges of measures (in the units that people type) and a part of a name. Charts, lineage and table
// show the same networks; the address holds it.

import { measure } from "./measures.js";

const digits = (value) => Number(value.toPrecision(5));

// [low, high] of a measure in its own units (a fraction, bytes) from the view's ranges; null where it is open.
export function bounds(view, key) {
  const range = view.ranges[key];
  if (!range) return null;
  const { factor } = measure(key);
  return range.map((end, i) => (end == null ? (i ? Infinity : -Infinity) : end * factor));
}

// What to write into the address for a range in a measure's own units.
export function typed(key, [low, high]) {
  const { factor } = measure(key);
  return [low, high].map((end) => (Number.isFinite(end) ? digits(end / factor) : null));
}

// Which networks are selected: a Uint8Array by index, or null while nothing is narrowed.
export function mask(networks, view) {
  const keys = Object.keys(view.ranges);
  if (!keys.length && !view.q) return null;
  const selected = new Uint8Array(networks.length).fill(1);
  for (const key of keys) {
    const [low, high] = bounds(view, key);
    const [least, most] = [low - Math.abs(low) * 1e-6, high + Math.abs(high) * 1e-6];
    for (let i = 0; i < networks.length; i += 1) {
      const value = networks[i][key];
      if (value == null || !(value >= least || low === -Infinity) || !(value <= most || high === Infinity)) selected[i] = 0;
    }
  }
  if (view.q) {
    const part = view.q.toLowerCase();
    for (let i = 0; i < networks.length; i += 1) if (!networks[i].name.includes(part)) selected[i] = 0;
  }
  return selected;
}

export const counted = (selected) => selected.reduce((sum, one) => sum + one, 0);
