// Axes: from values to pixels and back. "error" is logarithmic in what is missing to 100 %, for accuracies near it.

const MISSING = 5e-4; // what counts as nothing missing
const transforms = {
  linear: [(v) => v, (t) => t],
  log: [(v) => Math.log10(Math.max(v, 1e-9)), (t) => 10 ** t],
  error: [(v) => -Math.log10(Math.max(1 + MISSING - v, MISSING)), (t) => 1 + MISSING - 10 ** -t],
};

export class Scale {
  // domain: [low, high] values; range: [pixel of low, pixel of high], in either direction
  constructor(kind, domain, range) {
    [this.forward, this.backward] = transforms[kind];
    Object.assign(this, { kind, domain, range });
    this.low = this.forward(domain[0]);
    this.span = this.forward(domain[1]) - this.low || 1;
    this.reach = range[1] - range[0];
  }

  pixel(value) {
    return this.range[0] + ((this.forward(value) - this.low) / this.span) * this.reach;
  }

  value(pixel) {
    return this.backward(this.low + ((pixel - this.range[0]) / this.reach) * this.span);
  }

  // The domain seen after zooming by `factor` around a pixel, or moving by `shift` pixels.
  zoomed(factor, around) {
    const at = this.low + ((around - this.range[0]) / this.reach) * this.span;
    return [this.backward(at + (this.low - at) / factor), this.backward(at + (this.low + this.span - at) / factor)];
  }

  moved(shift) {
    const by = -(shift / this.reach) * this.span;
    return [this.backward(this.low + by), this.backward(this.low + this.span + by)];
  }

  // The values between two pixels, low first.
  between(a, b) {
    return [this.value(a), this.value(b)].sort((one, other) => one - other);
  }

  ticks(most) {
    const [low, high] = this.domain;
    if (this.kind === "log") return logTicks(low, high, most);
    if (this.kind === "error") return errorTicks(low, high, most);
    return linearTicks(low, high, most);
  }
}

// The ends of an axis around data: some air, and never a range so small that noise looks like a cliff.
export function extent(kind, values, least = 0) {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (value == null || (kind === "log" && value <= 0)) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  if (low > high) return kind === "log" ? [1, 10] : [0, 1];
  const [forward, backward] = transforms[kind];
  const [from, to] = [forward(low), forward(high)];
  const air = Math.max((to - from) * 0.08, (least - (to - from)) / 2, 1e-6);
  return [backward(from - air), backward(to + air)];
}

function linearTicks(low, high, most) {
  const rough = (high - low) / Math.max(1, most);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((s) => s * power).find((s) => s >= rough * 0.999) ?? power * 10;
  const ticks = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i += 1) ticks.push(Number((i * step).toPrecision(10)));
  return ticks;
}

// Round ticks: 1, 2, 5 of each power of ten; fewer where there would be too many.
function logTicks(low, high, most) {
  for (const steps of [[1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9], [1, 2, 3, 5, 7], [1, 2, 5], [1, 3], [1]]) {
    const ticks = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power += 1) {
      for (const step of steps) {
        const value = Number((step * 10 ** power).toPrecision(3));
        if (value >= low && value <= high) ticks.push(value);
      }
    }
    if (ticks.length <= most) return ticks;
    if (steps.length === 1) return ticks.filter((_, i) => i % Math.ceil(ticks.length / most) === 0);
  }
  return [];
}

function errorTicks(low, high, most) {
  const known = [0, 0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.92, 0.94, 0.95, 0.96, 0.97, 0.98, 0.985, 0.99, 0.992, 0.995, 0.997, 0.998, 0.999, 1];
  const inside = known.filter((value) => value >= low && value <= high);
  if (inside.length < 3) return linearTicks(low, Math.min(1, high), most);
  return inside.length <= most ? inside : inside.filter((_, i) => (inside.length - 1 - i) % Math.ceil(inside.length / most) === 0);
}
