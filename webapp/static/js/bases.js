// Waits for a worker's look into a file that the team brought.

export async function waitForBase(address, told) {
  for (let wait = 800; ; wait = Math.min(wait * 1.4, 5000)) {
    try {
      const response = await fetch(address, { headers: { Accept: "application/json" } });
      if (!response.ok && response.status < 500) return;
      if (response.ok) {
        const base = await response.json();
        told(base);
        if (base.settled) return;
      }
    } catch {
      // the server is away for a moment
    }
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
}

// On the list of files, a row that was waiting is drawn anew by the server once its file has been looked into.
if (!document.getElementById("run-form")) {
  for (const cell of document.querySelectorAll("[data-waits]")) {
    waitForBase(cell.dataset.waits, (base) => base.settled && location.reload());
  }
}
