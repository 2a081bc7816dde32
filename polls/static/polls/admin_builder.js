// Shows only the fields that a question's kind needs. Without JavaScript all are shown, and say what they are for.
function fit(select) {
  for (const part of select.closest("fieldset").querySelectorAll("[data-for]")) {
    part.hidden = !part.dataset.for.split(" ").includes(select.value);
  }
}
for (const select of document.querySelectorAll("[data-kind]")) {
  fit(select);
  select.addEventListener("change", () => fit(select));
}

// The browser asks before a page with unsaved changes is left.
const builder = document.getElementById("builder");
let changed = document.querySelector(".banner-info, #summary") !== null;
builder.addEventListener("input", () => { changed = true; });
builder.addEventListener("submit", () => { changed = false; });
window.addEventListener("beforeunload", (event) => {
  if (changed) {
    event.preventDefault();
  }
});
