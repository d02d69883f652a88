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
    if (focus) refocus(adopted, focus, present);
    changed.push(part.id);
  }
  if (changed.length) document.dispatchEvent(new CustomEvent("eustress:parts", { detail: changed }));
  return changed;
}

// -- which element of the new part is which of the old one

const NATIVE = "a[href], button, input, select, textarea, summary"; // what takes focus by itself
const words = (element) => element.textContent.replace(/\s+/g, " ").trim();

// What an element does: two of the same do the same. What a field holds is no part of it, what a button says is.
function signature(element) {
  const value = element.matches("button, [type=checkbox], [type=radio]") ? element.getAttribute("value") : null;
  const form = element.getAttribute("form") ?? element.closest("form")?.getAttribute("action");
  const attributes = ["id", "type", "href", "formaction", "name", "aria-label", "aria-labelledby", "data-copies"].map((name) => element.getAttribute(name));
  return JSON.stringify([element.tagName, form, value, element.matches("button, summary") ? words(element) : null, ...attributes]);
}

// Undefined where there is none, or one cannot tell which.
function twin(part, element, old) {
  const wanted = signature(element);
  const [then, now] = [old, part].map((one) => [...one.querySelectorAll(element.tagName)].filter((other) => signature(other) === wanted));
  return then.length === now.length ? now[then.indexOf(element)] : undefined;
}

// Focus stays on what it was on; where that is gone, on the part: never on something else that Enter would set off.
function refocus(part, focus, old) {
  const key = focus.dataset.same ?? (focus.matches("summary") ? focus.parentElement.dataset.same : undefined);
  const named = key && part.querySelector(`[data-same="${CSS.escape(key)}"]`);
  for (const target of [named && (named.querySelector("summary") ?? named), twin(part, focus, old), part]) {
    if (!target) continue;
    if (!target.matches(NATIVE) && !target.hasAttribute("tabindex")) target.tabIndex = -1;
    target.focus({ preventScroll: true });
    if (document.activeElement === target) return;
  }
}
