// Puts server-rendered parts into the page without flicker: only what changed, and never under a person's hands.
// `data-same` says which box, field or menu of the new part is which of the old one: others may come before it.

import { localClocks } from "./clock.js";

const TYPED = "input:not([type=checkbox], [type=radio]), select, textarea";
const FIELDS = "input:not([type=hidden], [type=file]), select, textarea";
const SCROLLERS = ".tablewrap, .scroll, .events, .drawing, pre";

const known = new Map();
const held = new Map(); // parts that have come while the present ones were in somebody's hands
const elsewhere = document.implementation.createHTMLDocument(); // where a copy loads no pictures

// What the server wrote. Without a form's token, which is masked anew for every answer, and without what scripts and
// readers change in the page: that alone is no change.
function essence(part) {
  const copy = elsewhere.importNode(part, true);
  for (const token of copy.querySelectorAll("[name=csrfmiddlewaretoken]")) token.remove();
  for (const one of [copy, ...copy.querySelectorAll("[tabindex]")]) one.removeAttribute("tabindex");
  for (const details of copy.querySelectorAll("details")) details.open = false;
  for (const time of copy.querySelectorAll("time")) {
    time.removeAttribute("title");
    if ("clock" in time.dataset) time.textContent = "";
  }
  return copy.outerHTML;
}

export function remember(root) {
  for (const part of root.querySelectorAll("[data-part]")) known.set(part.id, essence(part));
}

export function replaceParts(html) {
  const fresh = new DOMParser().parseFromString(html, "text/html");
  return put(fresh.querySelectorAll("[data-part]"));
}

// Returns the ids of those that were replaced.
function put(parts) {
  const changed = [...parts].filter(replace).map((part) => part.id);
  if (changed.length) document.dispatchEvent(new CustomEvent("eustress:parts", { detail: changed }));
  return changed;
}

function replace(part) {
  const present = document.getElementById(part.id);
  const now = essence(part);
  held.delete(part.id);
  if (!present || known.get(part.id) === now) return false;
  const focus = present.contains(document.activeElement) ? document.activeElement : null;
  if (focus?.matches(TYPED) || present.matches(":active, [aria-busy=true]")) {
    held.set(part.id, part); // somebody types here, or is about to let a button go, or something runs that began here
    return false;
  }
  known.set(part.id, now);
  const scrolled = [...present.querySelectorAll(SCROLLERS)].map((box) => [box.scrollLeft, box.scrollTop]);
  const open = new Map([...present.querySelectorAll("details[data-same]")].map((details) => [details.dataset.same, details.open]));
  const adopted = document.importNode(part, true);
  localClocks(adopted);
  adopted.querySelectorAll("details[data-same]").forEach((details) => (details.open = open.get(details.dataset.same) ?? details.open));
  present.replaceWith(adopted);
  adopted.querySelectorAll(SCROLLERS).forEach((box, i) => {
    if (scrolled[i]) [box.scrollLeft, box.scrollTop] = scrolled[i];
  });
  carry(adopted, present);
  if (focus) refocus(adopted, focus, present);
  return true;
}

// The last part of an ended run is followed by none that would bring it.
for (const kind of ["focusout", "pointerup", "pointercancel", "eustress:idle"]) {
  document.addEventListener(kind, () => held.size && setTimeout(() => put(held.values()), 100)); // a click comes first
}

// What was chosen and typed but not sent goes along.
function carry(part, old) {
  for (const field of old.querySelectorAll(FIELDS)) {
    if (!isTouched(field)) continue;
    const same = twin(part, field, old);
    if (!same) continue;
    if (field.matches("[type=checkbox], [type=radio]")) same.checked = field.checked;
    else same.value = field.value;
  }
}

function isTouched(field) {
  if (field.matches("[type=checkbox], [type=radio]")) return field.checked !== field.defaultChecked;
  if (!field.matches("select")) return field.value !== field.defaultValue;
  const first = [...field.options].find((option) => option.defaultSelected) ?? field.options[0];
  return !first?.selected;
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

// Focus stays on what it was on; where that is gone, on the part, or on what holds a part that has no box of its own:
// never on something else that Enter would set off.
function refocus(part, focus, old) {
  const key = focus.dataset.same ?? (focus.matches("summary") ? focus.parentElement.dataset.same : undefined);
  const named = key && part.querySelector(`[data-same="${CSS.escape(key)}"]`);
  for (const target of [named && (named.querySelector("summary") ?? named), twin(part, focus, old), part, part.parentElement]) {
    if (!target) continue;
    if (!target.matches(NATIVE) && !target.hasAttribute("tabindex")) target.tabIndex = -1;
    target.focus({ preventScroll: true });
    if (document.activeElement === target) return;
  }
}
