// Waits on a closed survey: asks in the background whether it takes votes, and loads the ballot only then.
const opens = document.getElementById("opens");
const note = document.getElementById("opens-note");
const EVERY_MS = 3000;

async function ask() {
  try {
    if (!document.hidden) {
      const reply = await fetch(opens.dataset.state, { headers: { "X-Requested-With": "opens" }, cache: "no-store" });
      if (reply.ok && (await reply.json()).state === "open") {
        window.location.assign(opens.href);
        return;
      }
    }
  } catch {
    // The server did not answer; it is asked again.
  }
  wait();
}

// A class does not ask in the same instant.
function wait() {
  setTimeout(ask, EVERY_MS * (0.75 + Math.random() / 2));
}

if (opens !== null) {
  note.hidden = false;
  wait();
}
