/**
 * The board: for an LED wall or a television of 1920 × 1080, led by the state of the heat alone. No frame, no keys,
 * nothing that is not for everybody: start list, order with laps to go, result and what it is worth.
 */

import { h } from "../dom.js";
import { heatTitle } from "../frame.js";
import { goesTo } from "./announcer.js";
import { liveOrder, nextHeats, pacerSpeed, phaseOf, planned, resultRows, shortName } from "./announcer/standing.js";
import { kmh } from "./pace/curve.js";

const COMING = 6;
const NAME_LETTERS = 18;

export const screen = {
  id: "board",
  title: "board.title",
  roles: ["public", "announcer", "operator", "starter", "judge", "commissaire", "president", "secretary"],
  bare: true,
  view,
  bindings: () => [{ key: "f", id: "fullscreen", label: "board.fullscreen", bar: false, run: fullscreen }],
};

/** Browsers fill the screen only when somebody asks for it: a key or a click anywhere. */
function fullscreen() {
  if (document.fullscreenElement) document.exitFullscreen();
  else document.documentElement.requestFullscreen?.().catch((error) => console.warn(`no full screen: ${error.message}`));
}

function view(ctx) {
  const current = ctx.store.current();
  const phase = current?.heat ? phaseOf(current.state) : "none";
  return h(
    "div",
    { class: "board", "data-phase": phase, "data-state": current?.state ?? "none", ondblclick: fullscreen },
    heading(ctx, current, phase),
    h("div", { class: "board-body" }, { none: coming, start: startList, race, stopped, result }[phase](ctx, current)),
  );
}

function heading(ctx, current, phase) {
  const { t } = ctx;
  const meet = ctx.store.get("meet");
  const heat = meet?.heats.find((one) => one.heat === current?.heat);
  const status = ctx.store.heat("result")?.status ?? "none";
  const word = phase === "result" ? t(`board.status_${status}`) : phase === "none" ? "" : t(`board.phase_${phase}`);
  const sign = phase === "result" ? (status === "official" ? "✔ " : "◐ ") : phase === "stopped" ? "■ " : "";
  return h(
    "header",
    { class: "board-top" },
    h("h1", null, heat ? heatTitle(ctx, heat) : (meet?.name ?? "")),
    word ? h("p", { class: `board-status ${phase} ${status}`, "data-status": status }, `${sign}${word}`) : null,
  );
}

function coming(ctx, current) {
  const heats = nextHeats(ctx.store.get("meet"), ctx.store.get("competition"), current?.heat ?? null, COMING);
  return [
    h("p", { class: "board-next" }, ctx.t("board.next")),
    table(ctx.t("board.next"), heats.map((one) => comingRow(ctx, one)), 1),
  ];
}

function comingRow(ctx, heat) {
  return h("tr", { key: heat.heat }, h("td", { class: "board-time num" }, planned(heat)), h("th", { scope: "row" }, heatTitle(ctx, heat)));
}

function starters(ctx) {
  return ctx.store.heat("start")?.starters ?? [];
}

function line(ctx, rider, place, last, goes, kind = "") {
  return h(
    "tr",
    { key: rider.bib, "data-bib": rider.bib, class: kind },
    h("td", { class: "board-place num" }, place),
    h("td", { class: "board-bib num" }, h("span", null, rider.bib)),
    h("th", { scope: "row" }, shortName(ctx, rider, NAME_LETTERS)),
    h("td", { class: "board-nation" }, rider.nation ?? ""),
    h("td", { class: "board-gap num" }, last),
    goes === null ? null : h("td", { class: "board-goes" }, goes),
  );
}

const table = (label, rows, below = 0) => h("table", { "aria-label": label, style: `--rows: ${Math.max(6, rows.length) + below}` }, h("tbody", null, rows));

function startList(ctx) {
  const drawn = [...starters(ctx)].sort((a, b) => a.draw - b.draw);
  return table(ctx.t("board.phase_start"), drawn.map((one) => line(ctx, one, one.draw, one.status === "DNS" ? "DNS" : "", null)));
}

function race(ctx, current) {
  const riders = new Map(starters(ctx).map((one) => [one.bib, one]));
  const rows = liveOrder(ctx.store.heat("order")?.orders ?? [], starters(ctx));
  const row = (one) => line(ctx, riders.get(one.bib) ?? one, one.place ?? "", gapOf(ctx, one), null, one.newest ? "" : "behind-loop");
  return [
    h("div", { class: "board-order" }, table(ctx.t("board.phase_race"), rows.map(row))),
    h("div", { class: "board-side" }, laps(ctx, current), bellOrPace(ctx, current)),
  ];
}

function gapOf(ctx, one) {
  return one.place === 1 || one.gap_ms === null ? "" : ctx.format.gap(one.gap_ms);
}

function laps(ctx, current) {
  return h("p", { class: "board-laps" }, h("span", null, ctx.t("board.laps_to_go")), h("strong", { class: "num" }, ctx.format.laps(current.laps_to_go)));
}

function bellOrPace(ctx, current) {
  if (current.state === "bell" || current.laps_to_go === 1) return h("p", { class: "board-bell" }, ctx.t("board.last_lap"));
  const speed = pacerSpeed(ctx.store.heat("pace")?.pace, current.state);
  if (speed === null) return null;
  return h("p", { class: "board-pace" }, h("span", null, ctx.t("board.derny")), h("strong", { class: "num" }, kmh(speed)), h("span", null, "km/h"));
}

function stopped(ctx) {
  return h("p", { class: "board-word" }, ctx.t("board.stopped"));
}

function result(ctx) {
  const message = ctx.store.heat("result");
  const riders = new Map(starters(ctx).map((one) => [one.bib, one]));
  const rows = resultRows(message ?? { status: "none", results: [] });
  const last200 = message?.status === "official" ? message.last_200_ms : null;
  return [
    table(ctx.t("board.result"), rows.map((one) => resultLine(ctx, riders.get(one.bib) ?? one, one)), last200 ? 1 : 0),
    last200 ? h("p", { class: "board-last" }, ctx.t("board.last_200", { seconds: ctx.format.seconds(last200) })) : null,
  ];
}

function resultLine(ctx, rider, one) {
  const { format } = ctx;
  const place = one.place === null ? (one.code ?? format.NOTHING) : format.place(one.place, one.provisional);
  const code = one.code && one.place !== null ? `${one.code} ` : "";
  return line(ctx, rider, place, one.gap_ms === null ? "" : format.gap(one.gap_ms), [code, one.provisional ? "" : goesTo(ctx, one.mark)]);
}
