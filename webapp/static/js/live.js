// Follows a run: server-sent events, and polling where a stream cannot be had.

const POLL = 2500; // milliseconds
const GONE = new Set([401, 403, 404, 410]); // signed out, no longer allowed, deleted, or a link revoked
const KINDS = [
  "queued", "started", "born", "drawn", "gestation", "progress", "epoch", "cut", "repaired", "refused", "shock", "growth", "measured",
  "generation", "tested", "finished", "cancelling", "cancelled", "failed", "errored", "lost", "note",
  "pausing", "paused", "resumed", "extended", "chosen", "rule",
];

export class LiveFeed {
  // handlers: changed(event) for each new event, living(networks) for what lives just now, ended() once, state(text)
  constructor({ events, eventsJson, last, handlers }) {
    Object.assign(this, { events, eventsJson, last, handlers });
    this.failures = 0;
    this.done = false;
  }

  start() {
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
      const response = await fetch(`${this.eventsJson}?after=${this.last}`, { headers: { Accept: "application/json" } });
      if (GONE.has(response.status)) return this.end();
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

  end() {
    if (this.done) return;
    this.done = true;
    this.source?.close();
    clearTimeout(this.timer);
    this.handlers.ended();
  }
}
