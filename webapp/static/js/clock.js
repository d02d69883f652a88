// The server writes times of day in UTC; here they become the reader's own, with the day where it is not today.

export function localClocks(root) {
  const today = new Date().toDateString();
  for (const time of root.querySelectorAll("time[data-clock]")) {
    const moment = new Date(time.dateTime);
    if (Number.isNaN(moment.getTime())) continue;
    const clock = moment.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
    const day = moment.toLocaleDateString([], { day: "numeric", month: "short" });
    time.textContent = moment.toDateString() === today ? clock : `${day}, ${clock}`;
    time.title = moment.toLocaleString();
  }
}

localClocks(document);
