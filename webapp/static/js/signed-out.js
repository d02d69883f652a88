// Signed out in another tab, or for being away too long, while somebody types here: she stays on the page with all that
// she has typed, is told so, and goes on once she has signed in elsewhere.

import { stoppedNote } from "./notes.js";

let note = null;

// Asks for this page again: whether she is signed in, and for the forms' token, which signing in makes anew. To be called
// where a script is answered by 401 or 403.
export async function look() {
  const response = await fetch(location.href, { headers: { Accept: "text/html", "X-Requested-With": "fetch" } }).catch(() => null);
  if (response?.status === 401) return tell(response.headers.get("X-Sign-In"));
  if (!response?.ok) return;
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
  const token = fresh.querySelector("[name=csrfmiddlewaretoken]")?.value;
  if (!token) return;
  for (const field of document.querySelectorAll("[name=csrfmiddlewaretoken]")) field.value = token;
  document.body.setAttribute("hx-headers", fresh.body.getAttribute("hx-headers"));
  note?.remove();
  note = null;
}

function tell(address) {
  if (note) return;
  note = stoppedNote("You are signed out: ");
  note.append(Object.assign(document.createElement("a"), { href: address, target: "_blank", textContent: "sign in in another tab" }), ", then go on here. What you typed stays.");
}

document.addEventListener("htmx:responseError", (event) => {
  if ([401, 403].includes(event.detail.xhr.status)) look(); // 403: she has signed in again meanwhile, and the token is old
});
document.addEventListener("visibilitychange", () => {
  if (note && !document.hidden) look();
});
addEventListener("focus", () => note && look());
