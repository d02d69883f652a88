// Puts server-rendered parts into the page without flicker: only what changed, and never under a person's hands.
// `data-same` says which box, field or menu of the new part is which of the old one: others may come before it.

const known = new Map();
// A form's token is masked anew for every answer: that alone is no change.
const essence = (part) => part.outerHTML.replace(/name="csrfmiddlewaretoken" value="[^"]*"/g, "");

export function remember(root) {
  for (const part of root.querySelectorAll("[data-part]")) known.set(part.id, essence(part));
}

export function replaceParts(html) {
  const fresh = new DOMParser().parseFromString(html, "text/html");
  const changed = [];
  for (const part of fresh.querySelectorAll("[data-part]")) {
    const present = document.getElementById(part.id);
    if (!present || known.get(part.id) === essence(part)) continue;
    const focus = present.contains(document.activeElement) ? document.activeElement : null;
    if (focus?.matches("input:not([type=checkbox]), select, textarea")) continue; // somebody types here: the next change brings it
    known.set(part.id, essence(part));
    const scrolled = [...present.querySelectorAll(".tablewrap")].map((wrap) => [wrap.scrollLeft, wrap.scrollTop]);
    const open = new Map([...present.querySelectorAll("details[data-same]")].map((details) => [details.dataset.same, details.open]));
    const adopted = document.importNode(part, true);
    adopted.querySelectorAll("details[data-same]").forEach((details) => (details.open = open.get(details.dataset.same) ?? details.open));
    present.replaceWith(adopted);
    adopted.querySelectorAll(".tablewrap").forEach((wrap, i) => {
      if (scrolled[i]) [wrap.scrollLeft, wrap.scrollTop] = scrolled[i];
    });
    if (focus) refocus(adopted, focus);
    changed.push(part.id);
  }
  if (changed.length) document.dispatchEvent(new CustomEvent("eustress:parts", { detail: changed }));
  return changed;
}

function refocus(part, old) {
  const key = old.dataset.same ?? (old.matches("summary") ? old.parentElement.dataset.same : undefined);
  const named = key && part.querySelector(`[data-same="${CSS.escape(key)}"]`);
  if (named) return (named.querySelector("summary") ?? named).focus({ preventScroll: true });
  const same = old.getAttribute("href");
  const target = same ? [...part.querySelectorAll("a")].find((link) => link.getAttribute("href") === same) : part.querySelector(old.tagName);
  target?.focus({ preventScroll: true });
}
