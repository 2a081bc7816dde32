// A reply that says nothing new changes nothing on the page; an open table stays open when the counts behind it change.
let last = "";
let open = [];

document.body.addEventListener("htmx:beforeSwap", (event) => {
  const { target, xhr } = event.detail;
  if (target.id !== "live" && target.id !== "stage") {
    last = "";
    return;
  }
  if (xhr.responseText === last) {
    event.detail.shouldSwap = false;
    return;
  }
  last = xhr.responseText;
  open = [...target.querySelectorAll("details[open]")].map((details) => details.id);
});
document.body.addEventListener("htmx:afterSwap", () => {
  for (const id of open) {
    document.getElementById(id)?.setAttribute("open", "");
  }
  open = [];
});
