// A note at the head of the page that its scripts have stopped, or cannot go on; it is read aloud at once.
export function stoppedNote(text) {
  const note = Object.assign(document.createElement("p"), { className: "note warning stopped", textContent: text });
  note.setAttribute("role", "alert");
  document.getElementById("main").prepend(note);
  return note;
}
