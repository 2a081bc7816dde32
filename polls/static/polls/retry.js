// Asks in the background whether the page works again, and loads it only then: nothing moves before.
async function ask() {
  try {
    const reply = await fetch(window.location.href, {
      headers: { Accept: "text/html", "X-Requested-With": "retry" },
      cache: "no-store",
    });
    if (reply.status !== 503) {
      window.location.reload();
      return;
    }
  } catch {
    // The server itself did not answer; it is asked again.
  }
  setTimeout(ask, 4000);
}

setTimeout(ask, 4000);
