// The live part of the failover dashboard. htmx asks once a second; this file decides whether it may ask now, keeps
// what has not changed in place (so that screen readers, focus and selection are left alone), and says how old the page is.
"use strict";
(() => {
  const root = document.getElementById("failover");
  const poll = document.getElementById("poll");
  const lost = document.getElementById("lost");
  const freshness = document.getElementById("freshness-text");
  const pause = document.getElementById("pause");
  if (!root || !poll) return;
  // Not every admin has an icon of this name.
  const made = () => document.head.appendChild(Object.assign(document.createElement("link"), { id: "icon", rel: "icon" }));
  const icon = document.getElementById("icon") || made();

  const HIDDEN_MS = 15000; // a tab nobody sees asks this often
  const LOST_MS = 4500; // one time-out of a request, and a little
  const say = root.dataset; // every word of this page comes with it, in its language
  const staleAfter = Number(root.dataset.staleAfter);
  const suffix = document.title.includes(" | ") ? document.title.slice(document.title.indexOf(" | ")) : "";
  const failed = root.dataset.failed === "yes";
  let etag = "";
  let askedAt = 0;
  let answeredAt = performance.now();
  let answeredClock = new Date();
  let statusAge = root.dataset.age === "" ? null : Number(root.dataset.age);
  let refusal = "";
  let paused = false;

  const mine = (event) => event.detail.elt === poll;

  document.body.addEventListener("htmx:beforeRequest", (event) => {
    if (!mine(event)) return;
    const since = performance.now() - askedAt;
    if (paused || (document.hidden && since < HIDDEN_MS)) {
      event.preventDefault();
      return;
    }
    askedAt = performance.now();
  });

  document.body.addEventListener("htmx:configRequest", (event) => {
    if (mine(event) && etag) event.detail.headers["If-None-Match"] = etag;
  });

  document.body.addEventListener("htmx:afterRequest", (event) => {
    if (!mine(event)) return;
    const reply = event.detail.xhr;
    if (reply.status === 200 || reply.status === 304) {
      etag = reply.getResponseHeader("ETag") || "";
      const age = reply.getResponseHeader("X-Status-Age");
      statusAge = age ? Number(age) : null;
      answeredAt = performance.now();
      answeredClock = new Date();
      refusal = "";
    } else if (reply.status === 403) {
      refusal = say.saySignedOut;
    } else if (reply.status >= 400) {
      refusal = say.sayRefused.replace("%s", reply.status);
    }
    show();
  });

  // Nothing that looks the same is touched.
  document.body.addEventListener("htmx:oobBeforeSwap", (event) => {
    const { target, fragment } = event.detail;
    const digest = fragment.dataset ? fragment.dataset.digest : undefined;
    if (!digest) return;
    if (target.dataset.digest === digest) {
      event.detail.shouldSwap = false;
      return;
    }
    target.dataset.digest = digest;
    if (target.dataset.keyed) {
      event.detail.shouldSwap = false;
      reconcile(target, [...fragment.children], target.dataset.keyed);
    }
  });

  // Puts `wanted` in the place of the children of `parent`, but keeps every element that is there already.
  function reconcile(parent, wanted, key) {
    const held = new Map([...parent.children].map((child) => [child.dataset[key], child]));
    let next = parent.firstElementChild;
    for (const fresh of wanted) {
      const old = held.get(fresh.dataset[key]);
      const chosen = old && old.isEqualNode(fresh) ? old : fresh;
      if (chosen === next) {
        next = next.nextElementSibling;
      } else {
        parent.insertBefore(chosen, next);
      }
    }
    while (next) {
      const gone = next;
      next = next.nextElementSibling;
      gone.remove();
    }
  }

  function state() {
    const quiet = performance.now() - answeredAt;
    if (refusal) return ["lost", refusal];
    if (paused) return ["paused", ""];
    if (!document.hidden && quiet > LOST_MS) {
      const since = answeredClock.toLocaleTimeString(document.documentElement.lang);
      return ["lost", say.saySilent.replace("%s", since)];
    }
    if (statusAge !== null && statusAge + quiet > staleAfter) return ["silent", ""];
    return ["live", ""];
  }

  function show() {
    const [name, message] = state();
    root.dataset.freshness = name;
    if (lost.textContent !== message) lost.textContent = message;
    lost.hidden = message === "";
    const age = statusAge === null ? null : Math.round((statusAge + performance.now() - answeredAt) / 1000);
    const told = age === null ? say.sayNoStatus : say.sayUpdated.replace("%s", age);
    freshness.textContent = name === "paused" ? say.sayPaused.replace("%s", told) : told;
    const said = root.querySelector("[data-title]");
    const tone = name === "lost" ? "unknown" : said.dataset.tone;
    const title = name === "lost" ? say.sayNoAnswer : said.dataset.title;
    const wanted = failed ? document.title : `${title}${suffix}`;
    if (document.title !== wanted) document.title = wanted;
    const image = root.dataset[`icon${tone[0].toUpperCase()}${tone.slice(1)}`];
    if (image && icon.getAttribute("href") !== image) icon.setAttribute("href", image);
  }

  pause.addEventListener("click", () => {
    paused = !paused;
    pause.textContent = paused ? say.sayResume : say.sayPause;
    // Time spent in a pause is not the server's silence.
    if (!paused) answeredAt = performance.now() - (statusAge === null ? 0 : 1);
    show();
  });
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) answeredAt = Math.max(answeredAt, performance.now() - LOST_MS + 2000);
    show();
  });
  pause.hidden = false;
  setInterval(show, 500);
  show();
})();
