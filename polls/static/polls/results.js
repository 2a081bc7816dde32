// Says how old the counts are. htmx brings new ones; an unchanged reply is a 304, whose headers still say their age.
const freshness = document.getElementById("freshness");
const age = document.getElementById("age");
const servedBy = document.getElementById("served-by");
let readAt = Date.now() - Number(freshness.dataset.ageMs || 0);
let lost = false;

function show() {
  const seconds = Math.max(0, Math.round((Date.now() - readAt) / 1000));
  const words = freshness.dataset.ago.replace("%s", String(seconds));
  age.textContent = lost ? `${words} (${freshness.dataset.lost})` : words;
  freshness.classList.toggle("is-stale", lost || seconds > 30);
}

document.body.addEventListener("htmx:afterRequest", (event) => {
  const { successful, xhr } = event.detail;
  lost = !successful;
  if (successful) {
    readAt = Date.now() - Number(xhr.getResponseHeader("X-Counted-Age-Ms") || 0);
    servedBy.textContent = xhr.getResponseHeader("X-Served-Region") || servedBy.textContent;
  }
  show();
});
// A hidden tab asks for nothing.
document.body.addEventListener("htmx:beforeRequest", (event) => {
  if (document.hidden) {
    event.preventDefault();
  }
});
setInterval(show, 1000);
