/** The announcer: who leads by how much, the result with what it is worth, who goes through, and what comes next. */

import { h } from "../dom.js";
import { heatTitle } from "../frame.js";
import { has } from "../texts.js";
import { liveOrder, nextHeats, pacerSpeed, phaseOf, planned, resultRows } from "./announcer/standing.js";
import { kmh } from "./pace/curve.js";

const COMING = 4;
const NUMBERS = new Set(["place", "draw", "bib", "gap", "from"]);

export const screen = {
  id: "announcer",
  title: "announcer.title",
  roles: ["public", "announcer", "operator", "starter", "judge", "commissaire", "president", "secretary"],
  view,
  side,
  bindings,
};

function shownHeat(ctx) {
  return ctx.ui.heat ?? ctx.store.current()?.heat ?? null;
}

/** State of the shown heat; of the one on the track it is the newest known. */
function stateOf(ctx, heat) {
  const current = ctx.store.current();
  return current?.heat === heat ? current.state : (ctx.store.heat("result", heat)?.state ?? "none");
}

function bindings(ctx) {
  const opened = (ctx.store.get("meet")?.heats ?? []).map((one) => one.heat).filter((heat) => ctx.store.heat("start", heat));
  const current = ctx.store.current()?.heat ?? null;
  const at = opened.indexOf(shownHeat(ctx));
  const show = (heat) => (ctx.ui.heat = heat === current ? null : heat);
  return [
    { key: "PageUp", id: "heat-before", label: "announcer.heat_before", enabled: at > 0, run: () => show(opened[at - 1]) },
    { key: "PageDown", id: "heat-after", label: "announcer.heat_after", enabled: at >= 0 && at < opened.length - 1, run: () => show(opened[at + 1]) },
    { key: "l", id: "live", label: "announcer.to_live", enabled: Boolean(ctx.ui.heat), run: () => show(current) },
  ];
}

function view(ctx) {
  const heat = shownHeat(ctx);
  if (heat === null) return h("div", { class: "announcer" }, h("p", { class: "announcer-none" }, ctx.t("announcer.none")));
  const state = stateOf(ctx, heat);
  const phase = phaseOf(state);
  return h(
    "div",
    { class: "announcer", "data-heat": heat, "data-phase": phase },
    heading(ctx, heat, phase),
    phase === "race" ? raceFigures(ctx, state) : null,
    table(ctx, heat, phase),
  );
}

function heading(ctx, heat, phase) {
  const { t } = ctx;
  const one = ctx.store.get("meet")?.heats.find((other) => other.heat === heat);
  const status = ctx.store.heat("result", heat)?.status ?? "none";
  const last200 = ctx.store.heat("result", heat)?.last_200_ms;
  return h(
    "div",
    { class: "announcer-heading", key: "heading" },
    h("h2", null, one ? heatTitle(ctx, one) : heat),
    ctx.ui.heat ? h("span", { class: "chip amber" }, "⚠ ", t("announcer.not_the_present")) : null,
    phase === "result" ? statusChip(ctx, status) : null,
    phase === "stopped" ? h("span", { class: "chip red" }, "■ ", t("announcer.stopped")) : null,
    phase === "result" && last200 ? h("span", { class: "announcer-last" }, t("announcer.last_200", { seconds: ctx.format.seconds(last200) })) : null,
  );
}

function statusChip(ctx, status) {
  const official = status === "official";
  return h("span", { class: `chip ${official ? "running" : "amber"}`, "data-status": status }, official ? "✔ " : "◐ ", ctx.t(`announcer.status_${status}`));
}

function raceFigures(ctx, state) {
  const { t, format } = ctx;
  const current = ctx.store.current();
  const speed = pacerSpeed(ctx.store.heat("pace")?.pace, state);
  return h(
    "div",
    { class: "announcer-figures", key: "figures" },
    h("div", null, h("span", { class: "figure-label" }, t("announcer.laps_to_go")), h("strong", { class: "num" }, format.laps(current.laps_to_go))),
    state === "bell" ? h("div", { class: "announcer-bell" }, h("strong", null, t("announcer.last_lap"))) : null,
    speed === null ? null : h("div", null, h("span", { class: "figure-label" }, t("announcer.derny")), h("strong", { class: "num" }, kmh(speed)), h("span", null, " km/h")),
  );
}

function table(ctx, heat, phase) {
  const { t } = ctx;
  const starters = ctx.store.heat("start", heat)?.starters ?? [];
  const racing = phase === "race" || phase === "result";
  const fill = { race: order, result: results }[phase] ?? startList;
  const heads = [racing ? "place" : "draw", "bib", "rider", "nation", racing ? "gap" : "from", phase === "result" ? "goes_to" : "empty"];
  const column = (key) => h("th", { scope: "col", class: NUMBERS.has(key) ? "num" : null }, t(`announcer.${key}`));
  const body = h("tbody", null, fill(ctx, heat, starters));
  return h("table", { class: "announcer-table", key: "table" }, h("thead", null, h("tr", null, heads.map(column))), body);
}

function row(ctx, rider, place, gap, last, kind = "") {
  return h(
    "tr",
    { key: rider.bib, "data-bib": rider.bib, class: kind },
    h("td", { class: "num place" }, place),
    h("td", { class: "num bib" }, rider.bib),
    h("th", { scope: "row" }, ctx.format.name(rider)),
    h("td", { class: "nation" }, rider.nation ?? ""),
    h("td", { class: "num gap" }, gap),
    h("td", { class: "goes" }, last),
  );
}

function startList(ctx, heat, starters) {
  const drawn = [...starters].sort((a, b) => a.draw - b.draw);
  return drawn.map((one) => row(ctx, one, one.draw, one.origin, one.status === "DNS" ? ctx.t("announcer.dns") : ""));
}

function order(ctx, heat, starters) {
  const riders = new Map(starters.map((one) => [one.bib, one]));
  const orders = ctx.store.heat("order", heat)?.orders ?? [];
  return liveOrder(orders, starters).map((one) => {
    const place = one.place === null ? ctx.format.NOTHING : `(${one.place})`;
    const gap = one.place === 1 || one.gap_ms === null ? "" : ctx.format.gap(one.gap_ms);
    const note = one.inferred ? ctx.t("announcer.inferred") : "";
    return row(ctx, riders.get(one.bib) ?? one, place, gap, note, one.newest ? "" : "behind-loop");
  });
}

function results(ctx, heat, starters) {
  const result = ctx.store.heat("result", heat);
  const riders = new Map(starters.map((one) => [one.bib, one]));
  if (!result) return [];
  return resultRows(result).map((line) => {
    const place = line.place === null ? (line.code ?? ctx.format.NOTHING) : ctx.format.place(line.place, line.provisional);
    const gap = line.gap_ms === null ? "" : ctx.format.gap(line.gap_ms);
    const note = [line.code && line.place !== null ? `${line.code} ` : "", goesTo(ctx, line.mark)];
    return row(ctx, riders.get(line.bib) ?? line, place, gap, note, line.mark && line.mark !== "R" ? "through" : "");
  });
}

/** "→ Quarterfinals", or the mark itself where no words are known for it. */
export function goesTo(ctx, mark) {
  if (!mark) return "";
  const key = `announcer.mark_${mark}`;
  return `→ ${has(key) ? ctx.t(key) : mark}`;
}

function side(ctx) {
  const { t } = ctx;
  const coming = nextHeats(ctx.store.get("meet"), ctx.store.get("competition"), ctx.store.current()?.heat ?? null, COMING);
  return [
    h("h2", { key: "next" }, t("announcer.next")),
    coming.length === 0 ? h("p", { key: "last", class: "soft" }, t("announcer.no_next")) : null,
    coming.map((one) => nextCard(ctx, one)),
  ];
}

function nextCard(ctx, one) {
  const starters = ctx.store.heat("start", one.heat)?.starters ?? [];
  return h(
    "div",
    { class: "card announcer-next", key: one.heat },
    h("span", { class: "num" }, planned(one)),
    " ",
    h("strong", null, heatTitle(ctx, one)),
    starters.length ? h("p", { class: "soft" }, starters.map((rider) => `${rider.bib} ${rider.surname}`).join(", ")) : null,
  );
}
