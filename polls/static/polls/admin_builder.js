// Shows only what a question's kind needs; without this, everything is shown and says what it is for.
function fit(select) {
  for (const part of select.closest("fieldset").querySelectorAll("[data-for]")) {
    part.hidden = !part.dataset.for.split(" ").includes(select.value);
  }
}
for (const select of document.querySelectorAll("[data-kind]")) {
  fit(select);
  select.addEventListener("change", () => fit(select));
}

// A page with changes that are not saved is not left by mistake.
const builder = document.getElementById("builder");
let changed = document.querySelector(".banner-info, #summary") !== null;
builder.addEventListener("input", () => { changed = true; });
builder.addEventListener("submit", () => { changed = false; });
window.addEventListener("beforeunload", (event) => {
  if (changed) {
    event.preventDefault();
  }
});
