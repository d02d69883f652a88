// How charts look: colours from the page's CSS custom properties (so both themes serve), type that a phone can read.

export const FONT = 13; // CSS pixels; never below 12

export function colours() {
  const style = getComputedStyle(document.documentElement);
  const read = (name) => style.getPropertyValue(`--${name}`).trim();
  return Object.fromEntries(
    ["paper", "card", "ink", "muted", "line", "accent", "accent-soft", "ancestor", "other", "stress", "lost"].map((name) => [name, read(name)]),
  );
}

export function prepare() {
  const chart = window.Chart;
  const body = getComputedStyle(document.body);
  chart.defaults.font.family = body.fontFamily;
  chart.defaults.font.size = FONT;
  chart.defaults.maintainAspectRatio = false;
  chart.defaults.animation = false; // what glides is neither where it belongs nor, after a change of theme, in its colour
  chart.defaults.plugins.legend.display = false;
}

// Options that every chart of the page shares; `c` are the colours of the present theme.
export function tooltip(c) {
  return {
    backgroundColor: c.card,
    borderColor: c.line,
    borderWidth: 1,
    titleColor: c.ink,
    bodyColor: c.ink,
    padding: 10,
    cornerRadius: 8,
    displayColors: false,
    titleFont: { size: FONT + 1, weight: "600" },
    bodyFont: { size: FONT },
  };
}

export function axis(c, more) {
  const { ticks, title, grid, ...rest } = more;
  return {
    display: true, // the graph type hides its axes unless asked
    border: { display: false },
    grid: { color: c.line, drawTicks: false, ...grid },
    ticks: { color: c.muted, font: { size: FONT }, padding: 8, ...ticks },
    title: title ? { display: true, text: title, color: c.muted, font: { size: FONT } } : { display: false },
    ...rest,
  };
}

// How many digits tell these shares, as percentages, as they are: 82.5 % must not stand as 83 %.
export const digitsOf = (shares) => [0, 1, 2].find((digits) => shares.every((share) => Math.abs(share * 100 - (share * 100).toFixed(digits)) < 1e-6)) ?? 3;

export const percentTicks = (value, _index, ticks) => (value > 1.0001 ? "" : `${(value * 100).toFixed(digitsOf(ticks.map((tick) => tick.value)))} %`);
