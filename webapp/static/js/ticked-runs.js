// Runs that are ticked to be compared stay ticked from page to page and in every order: they stand in the address.

const bar = () => document.querySelector("form[data-ticks]");
const boxes = () => [...document.querySelectorAll(".tick input")];
const read = () => (new URLSearchParams(location.search).get("compare") ?? "").split(",").filter(Boolean);

const carry = (search, ticked) => {
  const query = new URLSearchParams(search);
  query.delete("compare");
  if (ticked.length) query.set("compare", ticked.join(","));
  return query.toString().replaceAll("%2C", ",");
};

function say(ticked, most, refused = false) {
  const told = ticked.length ? `${ticked.length} ticked` : "Tick runs to put them side by side.";
  bar().querySelector("[data-said]").textContent = refused ? `${told}: no more than ${most} can be told apart.` : told;
  bar().classList.toggle("filled", ticked.length > 0);
}

document.addEventListener("change", ({ target }) => {
  if (!target.matches(".tick input")) return;
  const ticked = read().filter((one) => one !== target.value);
  const most = Number(bar().dataset.ticks);
  const refused = target.checked && ticked.length >= most;
  if (refused) target.checked = false;
  if (target.checked) ticked.push(target.value);
  history.replaceState(null, "", `?${carry(location.search, ticked)}`);
  say(ticked, most, refused);
});

document.addEventListener("click", ({ target }) => {
  const link = target.closest("a[data-carries]");
  if (link) link.search = carry(link.search, read());
});
document.addEventListener("submit", ({ target }) => {
  const field = target.querySelector("input[data-ticked]"); // of a form that asks for the same page in another order
  if (!field) return;
  field.value = read().join(",");
  field.disabled = !field.value;
});

// A page that is come back to may remember other ticks than its address.
addEventListener("pageshow", () => {
  if (!bar()) return;
  const ticked = read();
  for (const box of boxes()) box.checked = ticked.includes(box.value);
  bar().classList.toggle("filled", ticked.length > 0);
});
