// Figures as people read them; the same rules as webapp/runs/templatetags/figures.py.

const short = (value) => {
  const size = Math.abs(value);
  if (value === 0) return "0";
  return value.toFixed(size < 0.01 ? 4 : size < 0.1 ? 3 : size < 10 ? 2 : size < 100 ? 1 : 0);
};

const scaled = (value, units) => {
  let unit = 0;
  while (Math.abs(value) >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? value.toFixed(0) : short(value)} ${units[unit]}`.trim();
};

export const count = (value) => (value == null ? "" : scaled(value, ["", "k", "M", "G"]));
export const bytes = (value) => (value == null ? "" : scaled(value, ["B", "kB", "MB", "GB"]));
export const percent = (value, digits = 1) => (value == null ? "" : `${(value * 100).toFixed(digits)} %`);
export const milliseconds = (value) => (value == null ? "" : `${short(value)} ms`);
export const times = (value) => (value == null ? "" : `${value.toFixed(value < 99.95 ? 1 : 0)}×`);

// Ticks are round numbers: no more digits than they need.
const roundScaled = (value, units) => scaled(value, units).replace(/\.(\d*?)0+(?=\D|$)/, (_, kept) => (kept ? `.${kept}` : ""));
export const costs = {
  parameters: { label: "parameters", value: count, tick: (v) => roundScaled(v, ["", "k", "M", "G"]) },
  macs: { label: "multiply-adds", value: count, tick: (v) => roundScaled(v, ["", "k", "M", "G"]) },
  bytes: { label: "size", value: bytes, tick: (v) => roundScaled(v, ["B", "kB", "MB", "GB"]) },
  memory: { label: "memory", value: bytes, tick: (v) => roundScaled(v, ["B", "kB", "MB", "GB"]) },
  latency: { label: "latency", value: milliseconds, tick: (v) => `${Number(v.toPrecision(2))} ms` },
};
