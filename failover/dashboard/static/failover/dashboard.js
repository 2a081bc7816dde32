// Keeps the failover dashboard up to date. htmx polls once a second. This file decides whether a poll
// is sent, keeps unchanged elements in place (for screen readers, focus and selection), and shows how
// old the page is.
"use strict";
(() => {
  const root = document.getElementById("failover");
  const poll = document.getElementById("poll");
  const lost = document.getElementById("lost");
  const freshness = document.getElementById("freshness-text");
  const pause = document.getElementById("pause");
  if (!root || !poll) return;
  // Another project's admin may have no icon element.
  const newIcon = () => document.head.appendChild(Object.assign(document.createElement("link"), { id: "icon", rel: "icon" }));
  const icon = document.getElementById("icon") || newIcon();

  const HIDDEN_MS = 15000; // the period of the polls of a hidden tab
  const LOST_MS = 4500; // a bit more than a request's time-out (htmx-config in page.html)
  const say = root.dataset; // the page carries every text in its language
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

  const isPoll = (event) => event.detail.elt === poll;

  document.body.addEventListener("htmx:beforeRequest", (event) => {
    if (!isPoll(event)) return;
    const since = performance.now() - askedAt;
    if (paused || (document.hidden && since < HIDDEN_MS)) {
      event.preventDefault();
      return;
    }
    askedAt = performance.now();
  });

  document.body.addEventListener("htmx:configRequest", (event) => {
    if (isPoll(event) && etag) event.detail.headers["If-None-Match"] = etag;
  });

  document.body.addEventListener("htmx:afterRequest", (event) => {
    if (!isPoll(event)) return;
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

  // Leaves a panel alone while its digest is the same.
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

  // Replaces the children of `parent` by `wanted`, but keeps the elements that are equal.
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
    const updated = age === null ? say.sayNoStatus : say.sayUpdated.replace("%s", age);
    freshness.textContent = name === "paused" ? say.sayPaused.replace("%s", updated) : updated;
    const headline = root.querySelector("[data-title]");
    const tone = name === "lost" ? "unknown" : headline.dataset.tone;
    const title = name === "lost" ? say.sayNoAnswer : headline.dataset.title;
    const wanted = failed ? document.title : `${title}${suffix}`;
    if (document.title !== wanted) document.title = wanted;
    const image = root.dataset[`icon${tone[0].toUpperCase()}${tone.slice(1)}`];
    if (image && icon.getAttribute("href") !== image) icon.setAttribute("href", image);
  }

  pause.addEventListener("click", () => {
    paused = !paused;
    pause.textContent = paused ? say.sayResume : say.sayPause;
    // The length of a pause does not count as silence of the server.
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
