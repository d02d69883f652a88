// What pages ask the server for by themselves. As soon as it says that this page is no longer for its reader, all asking
// stops and one note says why: a page that seems to follow and does not would mislead.

import { stoppedNote } from "./notes.js";

const GONE = new Set([401, 403, 404, 410]); // signed out, no longer allowed, deleted, or a link revoked

let closed = false;

export const isClosed = () => closed;

// Resolves to the server's answer, or to null once the page is closed. Who waits for `eustress:closed` is told that.
export async function ask(address, type = "text/html") {
  if (closed) return null;
  const response = await fetch(address, { headers: { Accept: type, "X-Requested-With": "fetch" } });
  if (!GONE.has(response.status)) return response;
  if (!closed) close(reason(response.status), response.status === 401 ? response.headers.get("X-Sign-In") : null);
  return null;
}

function reason(status) {
  if (status === 401) return "You are signed out";
  if (status === 410) return "This link is closed";
  return "This page is no longer there for you: it was deleted, or your team has changed";
}

function close(why, signIn) {
  closed = true;
  const now = new Date().toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hour12: false });
  const note = stoppedNote(`${why}. What you see is how it stood at ${now}. `);
  if (signIn) {
    const link = Object.assign(document.createElement("a"), { href: signIn, textContent: "Sign in again" });
    link.addEventListener("click", () => (link.search = `?next=${encodeURIComponent(location.pathname + location.search)}`)); // as the view is then
    note.append(link);
  }
  document.dispatchEvent(new Event("eustress:closed"));
}
