// A network or weights of the team's own on the way to the server: judged by its first bytes before it is sent, then in
// pieces, on from where it stood after a broken connection, with a line that says how far it is and can stop it.

import { size } from "./amounts.js";
import { NotSent, Stopped, announce, sendFiles } from "./pieces.js";
import { look } from "./signed-out.js";

const GOES_ON = "What has arrived is kept for a day: choose the same file again, and it goes on from there.";
const refusals = {
  401: `you are signed out; sign in in another tab. ${GOES_ON}`,
  403: `that was not allowed: your role may have changed, or you have signed in anew meanwhile; try again. ${GOES_ON}`,
  413: "it is larger than this server takes",
  507: "the server's disk has too little room for it",
};

// What the server said no to, in words for the person.
class Refused extends Error {}

let sending = 0; // files on their way: whoever leaves the page is asked first
export const isSending = () => sending > 0;
addEventListener("beforeunload", (event) => {
  if (sending) event.preventDefault();
});

// Sends `file` as `kind` and puts a line about it before the others in `states`. `addresses` are the place's data:
// check, uploads, mine, add. `form` holds the token, and for which team it is. Gives the server's answer and the line,
// or null where it was refused or stopped.
export async function sendBase(file, { kind, addresses, form, states }) {
  const token = form.elements.csrfmiddlewaretoken.value;
  const always = { csrfmiddlewaretoken: token, team: form.elements.team.value, kind };
  const line = progressLine(file, states);
  sending += 1;
  try {
    await post(addresses.check, { ...always, announced: JSON.stringify([await announce(file)]) });
    const underWay = await beganEarlier(addresses.mine);
    const pieces = sendFiles([file], { address: addresses.uploads, purpose: "base", token, underWay, progressed: line.progressed, waiting: line.waits });
    line.stop.onclick = () => pieces.stop();
    const [received] = await pieces.done;
    line.storing();
    return { answer: await post(addresses.add, { ...always, received }), line: line.element };
  } catch (error) {
    line.failed(error instanceof Stopped ? `stopped. ${GOES_ON}` : sentenceOf(error));
    return null;
  } finally {
    sending -= 1;
  }
}

async function post(address, fields) {
  const body = new FormData();
  for (const [name, value] of Object.entries(fields)) body.append(name, value);
  const response = await fetch(address, { method: "POST", body, headers: { Accept: "application/json" } });
  if (response.status === 401 || response.status === 403) look();
  const answer = await response.json().catch(() => ({})); // a refusal before our view, or a proxy's, is a page
  if (!response.ok) throw new Refused(answer.error ?? refusals[response.status] ?? `the server answered ${response.status}; try again. ${GOES_ON}`);
  return answer;
}

async function beganEarlier(address) {
  const response = await fetch(address, { headers: { Accept: "application/json" } });
  return response.ok ? (await response.json()).uploads : [];
}

function sentenceOf(error) {
  if (error instanceof Refused) return error.message;
  if (error instanceof NotSent) return error.sentence || refusals[error.status] || `the server answered ${error.status}. ${GOES_ON}`;
  return `the connection broke. ${GOES_ON}`;
}

// "net.onnx: 12 of 40 MB [====    ] Stop"
function progressLine(file, states) {
  const element = document.createElement("li");
  const words = document.createElement("span");
  const bar = Object.assign(document.createElement("progress"), { max: 1, value: 0 });
  const stop = Object.assign(document.createElement("button"), { type: "button", className: "btn btn-sm", textContent: "Stop" });
  bar.setAttribute("aria-label", `${file.name}, sent`);
  stop.setAttribute("aria-label", `Stop sending ${file.name}`);
  element.className = "sending";
  element.append(words, bar, stop);
  const say = (text) => (words.textContent = `${file.name}: ${text}`);
  say("being sent");
  states.prepend(element);
  return {
    element,
    stop,
    progressed: (sent, total) => {
      say(`${size(sent)} of ${size(total)}`);
      bar.value = sent / total;
    },
    waits: () => say("the connection broke; trying again"),
    storing: () => {
      say("being stored");
      bar.removeAttribute("value");
      stop.remove();
    },
    failed: (text) => {
      element.className = "lost";
      element.setAttribute("role", "alert");
      element.textContent = `${file.name}: ${text}`;
    },
  };
}
