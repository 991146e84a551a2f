/**
 * The line to the console server, and how its loss is told.
 *
 * Three things can be lost: the console server (nothing comes from it), the MQTT broker, the timing core (both as
 * the server says). `state()` is {lost: null|"server"|"mqtt"|"core"|"session"|"starting", since: ms of Date.now()}.
 * While anything is lost the overlay covers the whole screen, says which and since when, and the picture below is
 * marked NOT LIVE and stands still.
 */

import { h } from "./dom.js";

export const SILENCE_MS = 1500;
const RETRY_MS = 500;
const WATCH_MS = 100;

export function connect({ url = "/events", store, onState, onChange = () => {} }) {
  let source = null;
  let lastHeard = performance.now();
  let failed = false;
  let ended = false;
  let began = false;
  let state = { lost: "starting", since: Date.now() };
  let retry = null;

  function open() {
    retry = null;
    source = new EventSource(url);
    for (const kind of ["snapshot", "delta", "passing", "links", "beat"]) {
      source.addEventListener(kind, (message) => heard(kind, JSON.parse(message.data)));
    }
    source.onerror = () => {
      failed = true;
      if (source.readyState === EventSource.CLOSED) {
        askSession();
        again();
      }
      look();
    };
  }

  function again() {
    source.close();
    if (retry === null && !ended) retry = setTimeout(open, RETRY_MS);
  }

  function heard(kind, data) {
    lastHeard = performance.now();
    failed = false;
    if (kind === "snapshot") began = true;
    if (!store.apply({ kind, ...data })) {
      began = false;
      again();
    }
    look();
  }

  /** A stream that is refused may mean that nobody is signed in any more: a page then leads to the login. */
  async function askSession() {
    try {
      const answer = await fetch(location.pathname, { redirect: "manual", cache: "no-store" });
      if (answer.type === "opaqueredirect" || answer.status === 401 || answer.status === 403) ended = true;
    } catch {
      ended = false;
    }
    look();
  }

  function lostNow() {
    if (ended) return "session";
    if (failed || performance.now() - lastHeard > SILENCE_MS) return began || failed ? "server" : "starting";
    if (!began) return "starting";
    const links = store.links();
    if (links.mqtt === "down") return "mqtt";
    return links.core === "down" ? "core" : null;
  }

  function look() {
    const lost = lostNow();
    if (lost === state.lost) return;
    state = { lost, since: Date.now() };
    store.hold(lost !== null);
    onState(state);
  }

  const watch = setInterval(() => {
    look();
    // A connection that hangs without an error is given up, else a dead network is waited for minutes.
    if (!ended && retry === null && performance.now() - lastHeard > 2 * SILENCE_MS) {
      lastHeard = performance.now() - SILENCE_MS;
      again();
    }
  }, WATCH_MS);
  addEventListener("pagehide", () => {
    clearInterval(watch);
    source?.close();
  });
  store.onChange(onChange);
  open();
  return { state: () => state };
}

/** The overlay of a loss; null while all is well. */
export function lossOverlay(state, t) {
  if (!state.lost) return null;
  const since = new Date(state.since).toLocaleTimeString("en-GB");
  const what = state.lost;
  return h(
    "div",
    { class: "loss", key: "loss", role: "alert", "data-lost": what },
    h("p", { class: "loss-stamp" }, t("common.not_live")),
    h("p", { class: "loss-what" }, t(`common.lost_${what}`)),
    h("p", { class: "loss-since" }, t("common.lost_since", { time: since })),
    h("p", { class: "loss-advice" }, t(`common.lost_${what}_advice`)),
    what === "session" ? h("p", null, h("a", { href: "/login", class: "loss-login" }, t("common.sign_in"))) : null,
  );
}
