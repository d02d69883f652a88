// Follows a run: server-sent events, and polling where a stream cannot be had.

import { ask } from "./asking.js";

const POLL = 2500; // milliseconds
const KINDS = [
  "queued", "started", "born", "drawn", "gestation", "progress", "epoch", "cut", "repaired", "refused", "shock", "growth", "measured",
  "generation", "tested", "finished", "cancelling", "cancelled", "failed", "errored", "lost", "note",
  "pausing", "paused", "resumed", "extended", "chosen", "rule",
];

export class LiveFeed {
  // handlers: changed(event) for each new event, living(networks) for what lives just now, ended() once
  constructor({ events, eventsJson, last, handlers }) {
    Object.assign(this, { events, eventsJson, last, handlers });
    this.failures = 0;
    this.done = false;
  }

  start() {
    document.addEventListener("eustress:closed", () => this.stop());
    if (window.EventSource) this.stream();
    else this.poll();
  }

  stream() {
    const source = new EventSource(`${this.events}?after=${this.last}`);
    this.source = source;
    const take = (message) => {
      this.failures = 0;
      if (message.lastEventId) this.last = Math.max(this.last, Number(message.lastEventId));
      this.handlers.changed(JSON.parse(message.data));
    };
    for (const kind of KINDS) source.addEventListener(kind, take);
    source.addEventListener("message", take);
    source.addEventListener("living", (message) => this.handlers.living(JSON.parse(message.data).networks));
    source.addEventListener("end", () => this.end());
    source.onopen = () => (this.failures = 0);
    source.onerror = () => {
      // A closed source was refused (no stream here, or signed out); an open one reconnects by itself, with Last-Event-ID.
      this.failures += 1;
      if (source.readyState === EventSource.CLOSED || this.failures > 4) {
        source.close();
        if (!this.done) this.poll();
      }
    };
  }

  async poll() {
    if (this.done) return;
    try {
      const response = await ask(`${this.eventsJson}?after=${this.last}`, "application/json");
      if (!response) return; // the page is closed
      if (!response.ok) throw new Error(response.status);
      const answer = await response.json();
      this.last = answer.last;
      for (const event of answer.events) this.handlers.changed(event);
      this.handlers.living(answer.living);
      if (answer.more) return this.poll();
      if (answer.ended) return this.end();
    } catch {
      // the server is away for a moment: ask again
    }
    this.timer = setTimeout(() => this.poll(), document.hidden ? POLL * 4 : POLL);
  }

  stop() {
    this.done = true;
    this.source?.close();
    clearTimeout(this.timer);
  }

  end() {
    if (this.done) return;
    this.stop();
    this.handlers.ended();
  }
}
