/** The right column: what needs a person now, most urgent first, each with its key. */

import { h } from "../../dom.js";
import { chosen, select } from "./selection.js";
import { missedReads } from "./model.js";

/** The order that answers an alert, by the alert's key. */
const ANSWERS = {
  ring_bell: "bell",
  double_shot: "stop",
  gun_again: "stop",
  mishap_restart: "stop",
  awaiting_order: null,
};
const SIGNS = { red: "‼", amber: "▲", info: "ℹ︎" };
const MISSED_SHOWN = 12;
const LOST = new Set(["lost", "backing_off"]);

export function needsYou(ctx) {
  const parts = [alertCards(ctx), brokenBoxes(ctx), brokenLoops(ctx), missedPanel(ctx), fading(ctx)]
    .flat()
    .filter(Boolean);
  const calm = parts.length === 1 && !missedReads(ctx.store.heat("splits")).length;
  return [
    h("h2", { key: "title" }, ctx.t("common.needs_you")),
    calm ? h("p", { class: "card calm", key: "calm" }, "✔ ", ctx.t("operator.calm")) : null,
    parts,
  ];
}

function alertCards(ctx) {
  const alerts = ctx.store.current()?.alerts ?? [];
  return alerts.map((one, i) => {
    const answer = ANSWERS[one.key];
    return h(
      "div",
      { class: `card ${one.severity}`, key: `alert-${one.key}-${i}`, "data-alert": one.key },
      h(
        "p",
        null,
        h("span", { "aria-hidden": "true", class: "sign" }, SIGNS[one.severity] ?? "▲"),
        " ",
        ctx.told("alerts", one),
      ),
      answer ? ctx.button(answer, { key: `answer-${i}` }) : null,
    );
  });
}

function lostBoxes(ctx) {
  return new Map(
    ctx.store
      .below("devices/")
      .filter(([, one]) => LOST.has(one.device.state))
      .map(([id, one]) => [id, one.device]),
  );
}

/** Boxes that are lost; one that takes a loop with it is told with the loop. */
function brokenBoxes(ctx) {
  const told = new Set(brokenLoopsOf(ctx).flatMap((one) => one.devices));
  return [...lostBoxes(ctx)]
    .filter(([id]) => !told.has(id))
    .map(([id, device]) =>
      h("div", { class: "card red", key: `box-${id}`, "data-box": id }, lostWords(ctx, id, device)),
    );
}

function lostWords(ctx, id, device) {
  return [
    h(
      "p",
      { key: id },
      h("b", null, "✕ ", ctx.t("operator.box_lost", { device: id })),
      device.reason ? ` ${device.reason}` : "",
    ),
    h("p", { key: `${id}-do`, class: "do" }, "→ ", device.advice || ctx.t("operator.loop_do", { devices: id })),
  ];
}

function brokenLoopsOf(ctx) {
  const loops = ctx.store.get("health")?.loops ?? [];
  return loops
    .filter((one) => one.condition === "dead" || one.condition === "weak")
    .sort((a, b) => (a.condition < b.condition ? -1 : 1));
}

/** A loop that fails: what it is, what to do, what is affected and what still stands. */
function brokenLoops(ctx) {
  const lost = lostBoxes(ctx);
  return brokenLoopsOf(ctx).map((one) => {
    const gone = one.devices.filter((id) => lost.has(id));
    return h(
      "div",
      { class: `card ${one.condition === "dead" ? "red" : "amber"}`, key: `loop-${one.loop}`, "data-loop": one.loop },
      h(
        "p",
        null,
        h(
          "b",
          null,
          one.condition === "dead" ? "✕ " : "▲ ",
          ctx.t(`operator.loop_${one.condition}`, { loop: one.loop }),
        ),
        " ",
        one.reason,
      ),
      gone.length
        ? gone.map((id) => lostWords(ctx, id, lost.get(id)))
        : h("p", { class: "do" }, "→ ", ctx.t("operator.loop_do", { devices: one.devices.join(", ") || "–" })),
      h(
        "details",
        { ref: unfold },
        h("summary", null, ctx.t("operator.without_loop")),
        h(
          "ul",
          { class: "without" },
          one.without_it.map((text, i) => h("li", { key: i }, text)),
        ),
      ),
    );
  });
}

/** Open where there is room for it; a person folds it afterwards as they like. */
function unfold(details) {
  details.open = matchMedia("(min-width: 1101px)").matches;
}

/** Transponders and loops that read worse than they did: to be mended before the next heat, not now. */
function fading(ctx) {
  const transponders = (ctx.store.get("health")?.transponders ?? []).map((one) => one.warning);
  const boxes = ctx.store.below("devices/").flatMap(([, one]) => one.trends?.warnings ?? []);
  return [...transponders, ...boxes]
    .filter(Boolean)
    .map((text) => h("p", { class: "card", key: text }, h("b", null, "▲ ", ctx.t("operator.next_pause")), " ", text));
}

function missedPanel(ctx) {
  const rows = missedReads(ctx.store.heat("splits"));
  const one = chosen(ctx, "missed");
  const active = ctx.ui.list === "missed";
  const at = rows.findIndex((row) => row.id === one?.id);
  const from = Math.max(0, Math.min(at - 3, rows.length - MISSED_SHOWN));
  const shown = rows.slice(from, from + MISSED_SHOWN);
  return h(
    "section",
    { class: `panel missed ${active ? "active" : ""}`, key: "missed" },
    h(
      "h2",
      null,
      h("kbd", null, "1"),
      " ",
      ctx.t("operator.list_missed"),
      rows.length ? h("span", { class: "count" }, rows.length) : null,
    ),
    rows.length ? null : h("p", { class: "empty" }, ctx.t("operator.empty_missed")),
    h(
      "ul",
      { "data-list": "missed" },
      shown.map((row) => missedRow(ctx, row, row.id === one?.id)),
    ),
    rows.length > shown.length
      ? h(
          "p",
          { class: "empty" },
          ctx.t("operator.more", { n: rows.length - shown.length, count: rows.length - shown.length }),
        )
      : null,
  );
}

function missedRow(ctx, row, isChosen) {
  const { crossing } = row;
  return h(
    "li",
    {
      key: row.id,
      class: `row missed-row ${isChosen ? "chosen" : ""}`.trim(),
      "aria-current": isChosen ? "true" : null,
      "data-missed": row.id,
      "data-selected": isChosen,
      onclick: () => select(ctx, "missed", row.id),
    },
    h("span", { class: "row-bib num" }, row.bib),
    h("span", { class: "row-main" }, `${crossing.loop} · ${ctx.t("operator.lap_n", { lap: crossing.lap })}`),
    h(
      "span",
      { class: "num" },
      ctx.format.seconds(crossing.race_ms),
      h("span", { class: "row-soft" }, ` ±${ctx.format.seconds(crossing.uncertainty_ms)}`),
    ),
    h(
      "span",
      { class: "sureness num", title: ctx.t("operator.confidence", { percent: crossing.confidence }) },
      `${crossing.confidence} %`,
    ),
    isChosen
      ? h(
          "span",
          { class: "row-keys" },
          ctx.button("accept", { key: "accept" }),
          ctx.button("reject", { key: "reject" }),
        )
      : null,
  );
}
