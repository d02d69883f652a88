// What a run's page does beside its charts: the tab's title and icon show how far it is, a notification tells of its
// end if that is wished, curves follow the selection, and a test that was asked for after the end is waited for.

import { ask, isClosed } from "./asking.js";
import { replaceParts } from "./parts.js";

const WAIT = 3000; // milliseconds between two looks for a test's result
const GLANCE = 400; // between two looks at whether another network is selected
const SIGNS = { finished: "✓", failed: "✕", cancelled: "–", waiting: "Ⅱ" };

const root = document.getElementById("run");
const plainTitle = document.title;
const plainIcon = document.querySelector('link[rel="icon"]')?.href;

const status = () => document.getElementById("run-status")?.dataset;

// -- title and icon

function showProgress() {
  const now = status();
  if (!now) return;
  const ended = "ended" in now;
  const percent = Math.round(Number(now.share) * 100);
  const sign = ended || now.said === "Paused" ? SIGNS[now.tone] : null;
  document.title = `${sign ?? `${percent} %`} ${plainTitle}`;
  drawIcon(ended ? null : Number(now.share), now.tone);
}

// A ring that fills; the mark itself once there is nothing more to come.
function drawIcon(share, tone) {
  const link = document.querySelector('link[rel="icon"]');
  if (!link) return;
  if (share == null) {
    link.href = plainIcon;
    return;
  }
  const style = getComputedStyle(document.documentElement);
  const colour = style.getPropertyValue(tone === "running" ? "--accent" : "--stress").trim();
  const rest = style.getPropertyValue("--other").trim();
  const round = 2 * Math.PI * 12;
  const ring = (stroke, dash) =>
    `<circle cx="16" cy="16" r="12" fill="none" stroke="${stroke}" stroke-width="7" stroke-dasharray="${dash}" transform="rotate(-90 16 16)"/>`;
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">${ring(rest, "none")}${ring(colour, `${round * share} ${round}`)}</svg>`;
  link.href = `data:image/svg+xml,${encodeURIComponent(svg)}`;
}

// -- a notification at the end, for who asked for it on this page

const wish = `eustress-tell-${location.pathname}`;
const remembered = {
  get: () => {
    try {
      return localStorage.getItem(wish) === "yes";
    } catch {
      return false; // storage may be forbidden
    }
  },
  set: (on) => {
    try {
      if (on) localStorage.setItem(wish, "yes");
      else localStorage.removeItem(wish);
    } catch {
      // then it holds for as long as the page is open
    }
    wished = on;
  },
};
let wished = remembered.get();
let hasEnded = status() ? "ended" in status() : true;

const mayNotify = () => "Notification" in window && window.isSecureContext && Notification.permission !== "denied";

function showWish() {
  const button = document.querySelector("[data-notify]");
  if (!button) return;
  button.hidden = !mayNotify();
  const on = wished && Notification.permission === "granted";
  button.textContent = on ? "You will be told" : "Tell me when it ends";
  button.setAttribute("aria-pressed", String(on));
}

document.addEventListener("click", async (event) => {
  if (!event.target.closest("[data-notify]")) return;
  if (wished && Notification.permission === "granted") remembered.set(false);
  else remembered.set((await Notification.requestPermission()) === "granted");
  showWish();
});

function tellOfTheEnd() {
  const now = status();
  const ends = now && "ended" in now;
  if (ends && !hasEnded && wished && "Notification" in window && Notification.permission === "granted") {
    const answer = document.querySelector("#run-answer .line")?.textContent.replace(/\s+/g, " ").trim();
    const note = new Notification(`${now.said}: ${document.querySelector("h1").textContent}`, { body: answer ?? "", tag: wish });
    note.onclick = () => {
      window.focus();
      note.close();
    };
    remembered.set(false);
  }
  hasEnded = ends;
}

// -- what is fetched

async function fetchParts(address) {
  const response = await ask(address + location.search);
  if (response?.ok) replaceParts(await response.text());
}

// Another network was selected: the address says so, whoever wrote it there.
let asked = document.getElementById("run-curves")?.dataset.shown ?? "";
setInterval(() => {
  const selected = new URLSearchParams(location.search).get("network") ?? "";
  if (isClosed() || document.hidden || selected === asked || !document.getElementById("run-curves")) return;
  asked = selected;
  fetchParts(root.dataset.curves).catch(() => (asked = null)); // tried again at the next look
}, GLANCE);

// The page of an ended run follows nothing; while its newly chosen network is tested, it asks.
function awaitTest() {
  if (!document.querySelector("#run-answer[data-pending]")) return;
  setTimeout(async () => {
    try {
      await fetchParts(root.dataset.live);
    } catch {
      // the server is away for a moment
    }
    if (!isClosed()) awaitTest();
  }, WAIT);
}

// How far it is now is not known any more.
function showClosed() {
  document.title = plainTitle;
  drawIcon(null);
}

function show() {
  showProgress();
  showWish();
  tellOfTheEnd();
}

if (root) {
  show();
  awaitTest();
  document.addEventListener("eustress:parts", show);
  document.addEventListener("eustress:closed", showClosed);
  document.addEventListener("eustress:theme", () => isClosed() || showProgress());
}
