/** The lists: programme, record and inbox in one panel, and the passings of all loops as they come. */

import { h } from "../../dom.js";
import { heatTitle } from "../../frame.js";
import { boxDetail } from "./devices.js";
import { LISTS, SHARED, chosen, reveal, rowsOf, select, show } from "./selection.js";

export function sharedPanel(ctx) {
  const shown = ctx.ui.panel;
  const rows = rowsOf(ctx, shown);
  const inbox = (ctx.store.get("health")?.inbox_count ?? 0) + (ctx.store.heat("splits")?.unmatched_count ?? 0);
  return h(
    "section",
    { class: `panel shared ${ctx.ui.list === shown ? "active" : ""}`, key: "shared" },
    h(
      "div",
      { class: "tabs" },
      SHARED.map((list) =>
        h(
          "button",
          { key: list, type: "button", "aria-pressed": String(list === shown), onclick: () => show(ctx, list) },
          h("kbd", null, String(LISTS.indexOf(list) + 1)),
          " ",
          ctx.t(`operator.list_${list}`),
          list === "inbox" && inbox ? h("span", { class: "count" }, inbox) : null,
        ),
      ),
    ),
    list(ctx, shown, rows, { programme: heatRow, history: orderRow, inbox: inboxRow, boxes: boxDetail }[shown]),
  );
}

export function passingsPanel(ctx) {
  return h(
    "section",
    { class: `panel passings ${ctx.ui.list === "passings" ? "active" : ""}`, key: "passings" },
    h("h2", null, h("kbd", null, LISTS.indexOf("passings") + 1), " ", ctx.t("operator.list_passings")),
    list(ctx, "passings", rowsOf(ctx, "passings"), passingRow),
  );
}

/** A list whose rows can be chosen by arrows or by hand. */
export function list(ctx, name, rows, content) {
  const one = chosen(ctx, name);
  const active = ctx.ui.list === name;
  if (!rows.length) return h("p", { class: "empty", key: `${name}-empty` }, ctx.t(`operator.empty_${name}`));
  return h(
    "ul",
    {
      class: "rows scroll",
      key: name,
      "data-list": name,
      tabindex: "0",
      "aria-label": ctx.t(`operator.list_${name}`),
      ref: name === "programme" ? () => reveal(name) : null,
    },
    rows.map((row) =>
      h(
        "li",
        {
          key: row.id,
          "data-row": row.id,
          class: row.id === one?.id && active ? "row chosen" : "row",
          "data-selected": row.id === one?.id,
          "aria-current": row.id === one?.id && active ? "true" : null,
          onclick: () => select(ctx, name, row.id),
        },
        content(ctx, row),
      ),
    ),
  );
}

function heatRow(ctx, heat) {
  const status = ctx.store.get("competition")?.heats[heat.id] ?? "none";
  const now = ctx.store.current()?.heat === heat.id;
  const sign = now ? "▶" : ({ official: "✔", provisional: "◐", virtual: "◌" }[status] ?? "");
  return [
    h("span", { class: "row-sign" }, sign),
    h("span", { class: "row-main" }, heatTitle(ctx, heat)),
    h("span", { class: "row-soft num" }, heat.scheduled ? heat.scheduled.slice(-5) : ""),
    h("span", { class: "row-soft row-status" }, now ? ctx.t("operator.on_track") : ctx.t(`common.status_${status}`)),
  ];
}

function orderRow(ctx, entry) {
  const tz = ctx.store.get("meet")?.timezone;
  const sign = !entry.accepted ? "✕" : entry.undone_by ? "↶" : "";
  const words = h(entry.undone_by ? "s" : "span", null, ctx.told("history", entry));
  const note = entry.undone_by
    ? ctx.t("operator.undone")
    : entry.accepted
      ? ""
      : ctx.t("operator.refused", { reason: entry.reason });
  return [
    h("span", { class: "row-soft num" }, ctx.format.clock(entry.at_us, tz)),
    h("span", { class: "row-sign" }, sign),
    h("span", { class: "row-main wrap" }, words, note ? h("em", { class: "row-note" }, " ", note) : null),
    h("span", { class: "row-soft row-status" }, entry.actor),
  ];
}

function inboxRow(ctx, item) {
  const tz = ctx.store.get("meet")?.timezone;
  return [
    h("span", { class: "row-soft num" }, ctx.format.clock(item.at_us, tz, 3)),
    h("span", { class: "row-where" }, item.where || item.device),
    h("span", { class: "row-main wrap" }, `${item.what}: ${item.reason}`),
  ];
}

function passingRow(ctx, passing) {
  const tz = ctx.store.get("meet")?.timezone;
  const rider = (ctx.store.heat("start", passing.heat)?.starters ?? []).find((one) => one.bib === passing.bib);
  const who = passing.pacer
    ? ctx.t("operator.pacer")
    : rider
      ? ctx.format.name(rider)
      : (passing.bib ?? passing.transponder);
  return [
    h("span", { class: "row-soft num" }, ctx.format.clock(passing.race_us, tz, 3)),
    h("span", { class: "row-where" }, passing.loop ?? "?"),
    h("span", { class: "row-bib num" }, passing.pacer ? "◆" : (passing.bib ?? "?")),
    h("span", { class: "row-main" }, who),
    passing.backlog ? h("span", { class: "row-soft row-status" }, ctx.t("operator.backlog")) : null,
  ];
}
