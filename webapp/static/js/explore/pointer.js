// What pointers and keys do on a plot: hover, pick, drag out an area, move the window, zoom. The plot decides what it means.

const CLICK = 5; // pixels that a finger may tremble

export function listen(plot) {
  const { over } = plot;
  const active = new Map(); // pointers that are down
  let drag = null;

  const at = (event) => {
    const box = over.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const mode = (event) => (event.shiftKey ? "move" : plot.explorer.mode);

  // Else the browser may begin to drag whatever link has come to lie where the mouse went down.
  over.addEventListener("mousedown", (event) => {
    event.preventDefault();
    over.focus({ preventScroll: true });
  });

  over.addEventListener("pointerdown", (event) => {
    if (event.button || !plot.px) return;
    active.set(event.pointerId, at(event));
    const [x, y] = at(event);
    drag = active.size === 2 ? { kind: "pinch", spread: spread(active) } : { kind: mode(event), x, y, last: [x, y], moved: false };
    if (plot.inside(x, y) && drag.kind) over.setPointerCapture(event.pointerId);
  });

  over.addEventListener("pointermove", (event) => {
    if (!plot.px) return undefined;
    const [x, y] = at(event);
    if (active.has(event.pointerId)) active.set(event.pointerId, [x, y]);
    if (!drag || !active.size) return plot.hover(x, y);
    if (drag.kind === "pinch" && active.size === 2) {
      const now = spread(active);
      plot.zoom(now.size / drag.spread.size, now.x, now.y);
      plot.move(now.x - drag.spread.x, now.y - drag.spread.y);
      drag.spread = now;
      return undefined;
    }
    if (!drag.moved && Math.hypot(x - drag.x, y - drag.y) < CLICK) return undefined;
    drag.moved = true;
    if (drag.kind === "move") plot.move(x - drag.last[0], y - drag.last[1]);
    else if (drag.kind === "select") plot.brush([drag.x, drag.y], [x, y]);
    drag.last = [x, y];
    return undefined;
  });

  const end = (event) => {
    if (!active.delete(event.pointerId) || !drag) return;
    const [x, y] = at(event);
    if (!drag.moved && drag.kind !== "pinch" && event.type === "pointerup") plot.click(x, y);
    else if (drag.kind === "select" && drag.moved) plot.explorer.settle();
    else if (drag.moved || drag.kind === "pinch") plot.explorer.settle(true);
    if (!active.size) drag = null;
  };
  over.addEventListener("pointerup", end);
  over.addEventListener("pointercancel", end);
  over.addEventListener("pointerleave", () => active.size || plot.leave());
  over.addEventListener("dblclick", (event) => plot.open(...at(event)));
  over.addEventListener(
    "wheel",
    (event) => {
      if (!event.ctrlKey && !event.metaKey && plot.explorer.mode !== "move") return; // the page scrolls
      event.preventDefault();
      plot.zoom(Math.exp(-event.deltaY * 0.002), ...at(event));
      plot.explorer.settle(true);
    },
    { passive: false },
  );
  over.addEventListener("keydown", (event) => key(plot, event));
}

function spread(active) {
  const [[ax, ay], [bx, by]] = [...active.values()];
  return { size: Math.max(10, Math.hypot(ax - bx, ay - by)), x: (ax + bx) / 2, y: (ay + by) / 2 };
}

const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function key(plot, event) {
  const { explorer } = plot;
  if (event.ctrlKey || event.metaKey || event.altKey || !explorer.data) return;
  if (!plot.px) plot.drawBase(); // the first frame has not come yet
  const step = STEPS[event.key];
  if (step && event.shiftKey) {
    plot.move(-60 * step[0], -60 * step[1]);
    explorer.settle(true);
  } else if (step) plot.walk(...step);
  else if (event.key === "Home") explorer.walkTo(explorer.data.ancestor);
  else if (event.key === "End") explorer.walkTo(explorer.data.leading);
  else if (event.key === "Enter" && explorer.focused != null) explorer.open(explorer.focused);
  else if (event.key === " " && explorer.focused != null) explorer.select(explorer.focused);
  else if (event.key === "+" || event.key === "=") plot.zoomMiddle(1.4);
  else if (event.key === "-") plot.zoomMiddle(1 / 1.4);
  else if (event.key === "0") plot.wholly();
  else if (event.key === "Escape") explorer.clear();
  else return;
  event.preventDefault();
}
