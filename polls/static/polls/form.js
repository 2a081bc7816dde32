// The summary of what went wrong takes the focus, so that a screen reader reads it and the keyboard is where the links are.
const summary = document.getElementById("summary");
if (summary) {
  summary.focus();
}
