"use strict";

// The dashboard is led by the keyboard: it gets the focus as soon as it shows, and not sooner,
// because only then can the focus be told to it.
function focusOnceShown() {
  const body = document.body;
  new MutationObserver((_, observer) => {
    if (body.classList.contains("-first-byte")) {
      observer.disconnect();
      document.querySelector(".xterm-helper-textarea").focus();
    }
  }).observe(body, { attributes: true, attributeFilter: ["class"] });
}

// Ctrl+W deletes a word in a terminal and closes a tab in a browser, which ends the dashboard.
function askBeforeLeaving(event) {
  if (!document.body.classList.contains("-closed")) {
    event.preventDefault();
  }
}

window.addEventListener("DOMContentLoaded", focusOnceShown);
window.addEventListener("beforeunload", askBeforeLeaving);
