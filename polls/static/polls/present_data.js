// A reply that is the same as the last one changes nothing on the page. A table that is open stays open in a new one.
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
