// Keeps a page's parts fresh while something of it is still to come: the part `id` says by data-refresh where they are
// to be had, for as long as there is anything to wait for.

import { ask, isClosed } from "./asking.js";
import { remember, replaceParts } from "./parts.js";

// pace: milliseconds between two looks; looks are rarer while the page is hidden.
export function keepFresh(id, pace) {
  remember(document);
  const wait = () => setTimeout(look, document.hidden ? pace * 4 : pace);
  async function look() {
    const address = document.getElementById(id)?.dataset.refresh;
    if (!address || isClosed()) return;
    try {
      await refresh(address);
    } catch {
      // the server is away for a moment
    }
    wait();
  }
  wait();
}

// As the reader has the view now, which may be another than she opened the page with.
async function refresh(address) {
  const { search } = location;
  const url = new URL(address, location.href);
  const query = new URLSearchParams(search);
  for (const [name, value] of url.searchParams) query.set(name, value);
  url.search = query;
  const response = await ask(url);
  const html = response?.ok && (await response.text());
  if (html && search === location.search) replaceParts(html);
}
