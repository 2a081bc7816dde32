// The projector's keys and full screen. A key presses the link or the button of the page that names it in data-key.
const KEYS_OFF = "present-keys-off";

function keysOn() {
  return localStorage.getItem(KEYS_OFF) === null;
}

// Every new screen has a new bar of buttons.
function prepare() {
  const full = document.getElementById("full-screen");
  full.hidden = !document.fullscreenEnabled;
  document.getElementById("help").hidden = false;
  document.getElementById("keys-on").checked = keysOn();
}

function typing(target) {
  return target instanceof Element && target.closest("input, textarea, select, [contenteditable]") !== null;
}

function pressing(target) {
  return target instanceof Element && target.closest("a, button, summary") !== null;
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || event.defaultPrevented) {
    return;
  }
  if (!keysOn() || typing(event.target) || document.querySelector("dialog[open]")) {
    return;
  }
  if (event.key === " " && pressing(event.target)) {
    return;
  }
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const pressed = [...document.querySelectorAll("[data-key]")].find((element) => element.dataset.key === key);
  if (pressed && !pressed.hidden) {
    event.preventDefault();
    pressed.click();
  }
});

document.addEventListener("click", (event) => {
  const button = event.target instanceof Element ? event.target.closest("button") : null;
  if (button?.id === "help") {
    document.getElementById("keys").showModal();
  } else if (button?.id === "full-screen") {
    if (document.fullscreenElement) {
      document.exitFullscreen();
    } else {
      document.documentElement.requestFullscreen();
    }
  }
});

document.addEventListener("change", (event) => {
  if (event.target.id === "keys-on") {
    if (event.target.checked) {
      localStorage.removeItem(KEYS_OFF);
    } else {
      localStorage.setItem(KEYS_OFF, "1");
    }
  }
});

// When somebody else reveals, closes or resets, the buttons are out of date: the same screen is loaded again.
function surveyState() {
  const { state, concealed, round } = document.getElementById("facts")?.dataset ?? {};
  return [state, concealed, round].join();
}
let shownState = surveyState();

// A new screen has new buttons. htmx keeps the focus on a button that is there again; where it is not, this moves
// the focus to the button in its place.
let focused = null;
document.body.addEventListener("htmx:beforeRequest", () => {
  // After a mouse click no focus is visible, and there is none to keep: Space is a key of its own.
  const element = document.querySelector(":focus-visible");
  const group = element?.closest(".projector-bar, .stage-texts");
  focused = group ? [group.classList[0], [...group.querySelectorAll(".btn:not([hidden])")].indexOf(element)] : null;
});
function refocus() {
  if (focused && document.activeElement === document.body) {
    const [group, place] = focused;
    const buttons = [...document.querySelectorAll(`.${group} .btn:not([hidden])`)];
    (buttons[Math.min(place, buttons.length - 1)] ?? document.querySelector(".projector-bar .btn"))?.focus();
  }
}

document.body.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target.id === "stage" && surveyState() !== shownState) {
    shownState = surveyState();
    document.getElementById("again").click();
  } else if (event.detail.target.id !== "stage") {
    shownState = surveyState();
    prepare();
  }
  refocus();
});
// The page says when its counts are no longer live.
document.body.addEventListener("htmx:afterRequest", (event) => {
  const lost = document.getElementById("lost");
  if (lost && event.detail.target.id === "stage") {
    lost.hidden = event.detail.successful;
  }
});
// A hidden tab asks for nothing by itself.
document.body.addEventListener("htmx:beforeRequest", (event) => {
  if (document.hidden && event.detail.target.id === "stage") {
    event.preventDefault();
  }
});
prepare();
