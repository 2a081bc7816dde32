// The summary of what went wrong takes the focus: a screen reader reads it, and the next Tab reaches its first link.
const summary = document.getElementById("summary");
if (summary) {
  summary.focus();
}
// Printing needs a script; where none runs, the browser's own menu prints.
for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => window.print());
}
