// Siblings of nearly the same height stand side by side, so that none hides another.

const WIDEST = 0.4; // of the distance between generations, to either side

// heights: pixels; returns how far each is moved sideways, in pixels.
export function spread(heights, column, near) {
  const order = heights.map((_, i) => i).sort((a, b) => heights[a] - heights[b]);
  const shifts = new Float64Array(heights.length);
  let group = [];
  const place = () => {
    const step = Math.min(column * 0.13, (2 * WIDEST * column) / Math.max(1, group.length - 1));
    group.forEach((i, at) => (shifts[i] = (at - (group.length - 1) / 2) * step));
  };
  for (const i of order) {
    if (group.length && heights[i] - heights[group[group.length - 1]] >= near) {
      place();
      group = [];
    }
    group.push(i);
  }
  place();
  return shifts;
}
