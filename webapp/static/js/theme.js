// Sets the theme before the first paint (a classic script in the head, so that nothing flashes).
// The choice is "auto", "light" or "dark"; "auto" follows the system, also while the page is open.
(() => {
  const root = document.documentElement;
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const stored = () => {
    try {
      const choice = localStorage.getItem("eustress-theme");
      return choice === "light" || choice === "dark" ? choice : "auto";
    } catch {
      return "auto"; // storage may be forbidden
    }
  };
  const show = (theme) => {
    const changed = root.dataset.bsTheme && root.dataset.bsTheme !== theme;
    root.dataset.bsTheme = theme;
    if (changed) document.dispatchEvent(new CustomEvent("eustress:theme", { detail: theme })); // charts repaint
  };
  const apply = () => {
    const choice = stored();
    root.dataset.themeChoice = choice;
    show(choice === "auto" ? (system.matches ? "dark" : "light") : choice);
  };
  window.eustressTheme = {
    next() {
      const order = ["auto", "light", "dark"];
      const choice = order[(order.indexOf(stored()) + 1) % order.length];
      try {
        localStorage.setItem("eustress-theme", choice);
      } catch {
        root.dataset.bsTheme = choice;
      }
      apply();
      return choice;
    },
    // What `draw` returns of the page in its light colours; nobody sees the page in between.
    inLight(draw) {
      const seen = root.dataset.bsTheme;
      show("light");
      try {
        return draw();
      } finally {
        show(seen);
      }
    },
  };
  system.addEventListener("change", apply);
  window.addEventListener("storage", apply); // another tab's toggle
  window.addEventListener("beforeprint", () => (root.dataset.bsTheme = "light")); // charts, drawn again for paper, read it
  window.addEventListener("afterprint", apply);
  apply();
})();
