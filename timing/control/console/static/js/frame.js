/**
 * The frame of every screen: top (heat, state, laps to go, race clock, links), the screen's view and its right
 * column, and at the bottom what was said last, the input line and the keys that work here.
 */

import { h } from "./dom.js";
import * as format from "./format.js";

export const SCREENS = ["operator", "pace", "finish", "commissaire", "announcer", "board", "office"];

const RACING = new Set(["started", "first_lap", "paced", "pacer_exit", "sprint", "bell"]);
const STATE_SIGNS = { stopped: "■", official: "✔", provisional: "◐", finished: "⚑", bell: "♪" };

export function isRacing(state) {
  return RACING.has(state);
}

/** What a heat of the programme is called: by its own name, else by its round, with the number where it has several. */
export function heatTitle(ctx, heat) {
  if (!heat) return "";
  if (heat.name && heat.name !== heat.heat) return heat.name;
  const sameRound = ctx.store
    .get("meet")
    .heats.filter((one) => one.event === heat.event && one.category === heat.category && one.round === heat.round);
  return sameRound.length > 1 ? ctx.t("common.heat_title", { round: heat.round, number: heat.number }) : heat.round;
}

/** Sign and word of a heat's state. */
export function stateChip(state, t) {
  const sign = STATE_SIGNS[state] ?? (RACING.has(state) ? "▶" : "○");
  const kind = state === "stopped" ? "red" : state === "bell" ? "amber" : RACING.has(state) ? "running" : "quiet";
  return h(
    "span",
    { class: `chip ${kind}`, "data-state": state },
    h("span", { "aria-hidden": "true" }, sign),
    " ",
    t(`common.state_${state}`),
  );
}

export function top(ctx) {
  const current = ctx.store.current();
  const meet = ctx.store.get("meet");
  const heat = meet?.heats.find((one) => one.heat === current?.heat);
  return h(
    "header",
    { class: "top", key: "top" },
    h("h1", { class: "top-heat" }, heatTitle(ctx, heat) || (meet?.name ?? t0(ctx, "no_heat"))),
    h("p", { class: "top-event" }, heat ? `${heat.event} · ${heat.category}` : (meet?.venue_name ?? "")),
    h(
      "div",
      { class: "top-state" },
      stateChip(current?.state ?? "none", ctx.t),
      current?.attempt > 1
        ? h("span", { class: "chip quiet" }, ctx.t("common.attempt", { number: current.attempt }))
        : null,
    ),
    figure("top-laps", ctx.t("common.laps_to_go"), current?.heat ? format.laps(current.laps_to_go) : format.NOTHING),
    h(
      "div",
      { class: "figure top-clock" },
      h("span", { class: "figure-label" }, ctx.t("common.race_clock")),
      h("span", { class: "figure-value num", "data-clock": "race" }),
    ),
    links(ctx),
  );
}

const t0 = (ctx, key) => ctx.t(`common.${key}`);

function figure(kind, label, value) {
  return h(
    "div",
    { class: `figure ${kind}` },
    h("span", { class: "figure-label" }, label),
    h("span", { class: "figure-value num" }, value),
  );
}

function links(ctx) {
  const lost = ctx.link.lost;
  const state = { server: lost === "server" || lost === "session" ? "down" : "up", ...ctx.store.links() };
  const speed = ctx.store.speed();
  return h(
    "div",
    { class: "links" },
    h(
      "ul",
      { class: "link-list", "aria-label": t0(ctx, "links") },
      ["server", "mqtt", "core"].map((one) =>
        link(ctx, one, state.server === "down" && one !== "server" ? "unknown" : state[one]),
      ),
    ),
    h(
      "p",
      { class: "top-now" },
      h("span", { class: "num", "data-clock": "day" }),
      speed > 0 && speed !== 1 ? h("span", { class: "chip amber" }, ctx.t("common.demo_speed", { speed })) : null,
    ),
  );
}

function link(ctx, name, state) {
  const sign = { up: "●", down: "✕" }[state] ?? "?";
  return h(
    "li",
    { key: name, class: `link ${state}`, "data-link": name },
    h("span", { "aria-hidden": "true" }, sign),
    " ",
    ctx.t(`common.link_${name}`),
    h("span", { class: "visually-hidden" }, ` ${ctx.t(`common.link_${state}`)}`),
  );
}

/** The thin row above: which screens there are, and how this one looks. */
export function nav(ctx, screens) {
  return h(
    "nav",
    { class: "nav", key: "nav", "aria-label": t0(ctx, "screens") },
    h(
      "ul",
      null,
      screens.map((id) =>
        h(
          "li",
          { key: id },
          h(
            "a",
            { href: `/${id}`, "aria-current": id === ctx.screen ? "page" : null },
            h("kbd", null, `⇧${SCREENS.indexOf(id) + 1}`),
            " ",
            ctx.t(`common.screen_${id}`),
          ),
        ),
      ),
    ),
    h(
      "div",
      { class: "nav-tools" },
      ["help", "theme", "language"].map((id) => ctx.button(id)),
      ctx.actor
        ? h("span", { class: "who" }, ctx.actor, " · ", ctx.t(`common.role_${ctx.role}`))
        : h("a", { href: "/login" }, t0(ctx, "sign_in")),
      ctx.actor ? signOut(ctx) : null,
    ),
  );
}

function signOut(ctx) {
  return h(
    "form",
    { method: "post", action: "/logout" },
    h("input", { type: "hidden", name: "csrf", value: ctx.csrf }),
    h("button", { type: "submit", class: "key-button" }, t0(ctx, "sign_out")),
  );
}

export function bottom(ctx, keys, said) {
  return h(
    "footer",
    { class: "bottom", key: "bottom" },
    h(
      "p",
      { class: `said ${said?.tone ?? ""}`.trim(), role: "status", "aria-live": "polite" },
      said ? [h("span", { class: "num said-at" }, said.at), " ", said.text] : null,
    ),
    keys.line(),
    keys.bar(),
  );
}

/**
 * What runs on between messages, written straight into the marked elements with no new picture: `data-clock` is
 * `race` or `day`, `data-ago` an instant in UTC µs.
 */
export function tick(ctx) {
  const now = ctx.store.coreNow();
  const current = ctx.store.current();
  const tz = ctx.store.get("meet")?.timezone;
  const running = current?.start_us && isRacing(current.state);
  const texts = {
    day: now === null ? format.NOTHING : format.clock(now, tz),
    race:
      running && now !== null
        ? format.raceClock(now - current.start_us)
        : format.raceClock(ctx.ui.frame.raceStopped(current)),
  };
  for (const node of document.querySelectorAll("[data-clock]")) write(node, texts[node.dataset.clock]);
  for (const node of document.querySelectorAll("[data-ago]"))
    write(node, format.ago(now === null ? null : now - Number(node.dataset.ago)));
}

function write(node, text) {
  if (text !== undefined && node.textContent !== text) node.textContent = text;
}

/** The race clock stands where the race ended: at the last crossing of the last rider. */
export function raceStopped(store) {
  return (current) => {
    if (!current?.start_us || ["drawn", "on_line", "pacer_run", "none"].includes(current.state)) return null;
    const splits = store.heat("splits")?.splits ?? [];
    const last = Math.max(0, ...splits.map((one) => one.crossings.at(-1)?.race_ms ?? 0));
    return last ? last * 1000 : null;
  };
}
