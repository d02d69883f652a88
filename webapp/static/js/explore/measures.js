// What can be drawn of a network: how each measure is written, typed and scaled. The same list as webapp/runs/measures.py.

import { bytes, count, milliseconds, percent, costs } from "../charts/format.js";

const share = { value: percent, tick: null, factor: 0.01, log: false };
export const measures = {
  accuracy: { label: "accuracy", ...share },
  shock: { label: "shock", ...share },
  parameters: { label: "parameters", value: count, tick: costs.parameters.tick, factor: 1, log: true },
  macs: { label: "multiply-adds", value: count, tick: costs.macs.tick, factor: 1, log: true },
  bytes: { label: "size", value: bytes, tick: costs.bytes.tick, factor: 1000, log: true },
  memory: { label: "memory", value: bytes, tick: costs.memory.tick, factor: 1000, log: true },
  latency: { label: "latency", value: milliseconds, tick: costs.latency.tick, factor: 1, log: true },
};
export const generation = { label: "generation", value: String, tick: String, factor: 1, log: false };
export const measure = (key) => (key === "generation" ? generation : measures[key]);

// The kind of scale that a measure is drawn on, `asked` being "log", "linear" or "" (the measure's own).
export function scaleKind(key, asked) {
  const log = asked ? asked === "log" : measure(key).log;
  if (!log) return "linear";
  return measure(key).factor === 0.01 ? "error" : "log";
}
