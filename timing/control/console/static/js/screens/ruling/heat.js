/** The heat that a screen of the judges looks at: the current one, or another by PageUp and PageDown. */

import { h } from "../../dom.js";
import { heatTitle } from "../../frame.js";

const SIGNS = { none: "○", virtual: "○", provisional: "◐", official: "✔" };

/** Id of the heat on this screen; null while no heat was opened. */
export function shownHeat(ctx) {
  return ctx.ui.heat ?? ctx.store.get("current")?.heat ?? null;
}

/** A part of the heat on this screen (`result`, `finish`, `history` …). */
export function part(ctx, name) {
  const heat = shownHeat(ctx);
  return heat === null ? undefined : ctx.store.heat(name, heat);
}

/** Keys to look at another heat of the programme that was opened, and back to the one on the track. */
export function heatBindings(ctx) {
  return [
    { key: "PageUp", id: "heat-before", label: "finish.heat_before", run: () => step(ctx, -1), bar: false },
    { key: "PageDown", id: "heat-after", label: "finish.heat_after", run: () => step(ctx, +1), bar: false },
  ];
}

function step(ctx, by) {
  const opened = (ctx.store.get("meet")?.heats ?? []).map((one) => one.heat).filter((id) => ctx.store.heat("result", id));
  const current = ctx.store.get("current")?.heat ?? null;
  const at = opened.indexOf(shownHeat(ctx));
  const wanted = opened[Math.min(opened.length - 1, Math.max(0, at + by))] ?? null;
  ctx.ui.heat = wanted === current ? null : wanted;
  leaveHeat(ctx);
  ctx.redraw();
}

/** What was begun for one heat must not go to another. */
export function leaveHeat(ctx) {
  ctx.ui.pending = null;
  ctx.ui.flow = null;
  ctx.ui.selected = null;
  ctx.ui.entry = null;
}

/** The programme's entry of a heat; undefined when it is not in the meet message. */
export function programmed(ctx, heat) {
  return (ctx.store.get("meet")?.heats ?? []).find((one) => one.heat === heat);
}

/** The rider of the heat with this bib, with surname and given name where the start list has them. */
export function riderOf(ctx, bib) {
  const starter = (part(ctx, "start")?.starters ?? []).find((one) => one.bib === bib);
  return starter ?? (part(ctx, "result")?.results ?? []).find((one) => one.bib === bib) ?? { bib, name: bib };
}

/** "HELAL Rayan": the name as it is printed. */
export function nameOf(ctx, bib) {
  return ctx.format.name(riderOf(ctx, bib));
}

/** Bibs of the heat in order of the result, else in drawn order. */
export function bibsOf(ctx) {
  const results = part(ctx, "result")?.results ?? [];
  if (results.length > 0) return results.map((line) => line.bib);
  return (part(ctx, "start")?.starters ?? []).map((one) => one.bib);
}

/** Time of day at the venue of an instant in UTC µs. */
export function timeOfDay(ctx, us) {
  return ctx.format.clock(us, ctx.store.get("meet")?.timezone);
}

/** The line that says which heat this is and what its result is worth, with who made it official. */
export function statusLine(ctx) {
  const { t } = ctx;
  const heat = shownHeat(ctx);
  if (heat === null) return h("p", { class: "ruling-status" }, t("finish.no_heat"));
  const status = part(ctx, "result")?.status ?? "none";
  const confirmed = (part(ctx, "history")?.entries ?? []).filter(
    (one) => one.accepted && one.undone_by === null && one.action.type === "confirm",
  );
  const by = status === "official" ? confirmed.at(-1) : undefined;
  return h(
    "p",
    { class: `ruling-status status-${status}`, "data-status": status },
    h("strong", { class: "ruling-heat" }, heatName(ctx, heat)),
    h("span", { class: "ruling-sign", "aria-hidden": "true" }, SIGNS[status]),
    h("strong", null, t(`finish.status_${status}`)),
    " ",
    by === undefined
      ? t(`finish.status_${status}_means`)
      : t("finish.official_by", { actor: by.actor, time: timeOfDay(ctx, by.at_us) }),
    ctx.ui.heat ? h("span", { class: "ruling-elsewhere" }, " ⚠ ", t("finish.not_the_current")) : null,
  );
}

/** A heat's name in the programme. */
export function heatName(ctx, heat) {
  const entry = programmed(ctx, heat);
  return entry === undefined ? heat : heatTitle(ctx, entry);
}
