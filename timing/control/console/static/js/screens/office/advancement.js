/** Who goes where from a round: marks, what has to be decided before, results that changed after it was confirmed. */

import { h } from "../../dom.js";
import { roundBindings } from "./moving.js";
import { order, settled, withReason } from "./orders.js";
import { called, coreWords, entryOf, heatName, nameView, roundName, shownRound } from "./picture.js";

const tieOf = (round) => round?.blocks.find((one) => one.heat !== "" && one.bibs.length > 1);

export function advancementBindings(ctx, view) {
  const conflict = view.conflicts[0];
  return [
    confirmRoundBinding(ctx, view),
    tieBinding(ctx, view),
    ...(conflict === undefined ? [] : conflictBindings(ctx, view, conflict)),
    ...roundBindings(ctx, view),
  ];
}

/** Who goes on is settled; after the last round the classification is final. */
export function confirmRoundBinding(ctx, view) {
  const round = shownRound(ctx, view);
  const last = round !== null && round === view.rounds.at(-1);
  return settled(ctx, {
    key: "f",
    id: "confirm-round",
    label: "office.confirm_round",
    enabled: ctx.may("confirm_round") && round?.state === "ridden" && round.blocks.length === 0,
    warn: () => ctx.t(last ? "office.confirm_last_warn" : "office.confirm_round_warn", { round: round.name }),
    seen: (now) => shownRound(ctx, now)?.going,
    act: () => order(ctx, "confirm_round", { round: round.round }),
  });
}

/** The panel's order of riders whom the result does not tell apart, then its reason. */
export function tieBinding(ctx, view) {
  const block = tieOf(shownRound(ctx, view));
  return {
    key: "t",
    id: "tie",
    label: "office.resolve_tie",
    enabled: ctx.may("resolve_tie") && block !== undefined,
    run: () => askOrder(ctx, view, block),
  };
}

function askOrder(ctx, view, block) {
  const { t } = ctx;
  const bibs = block.bibs.join(", ");
  const read = (text) => text.trim().split(/[\s,]+/);
  const fits = (order) => [...order].sort().join() === [...block.bibs].sort().join();
  ctx.ask({
    label: t("office.tie_order", { heat: block.heat }),
    value: "",
    hint: (text) =>
      fits(read(text))
        ? { text: read(text).map((bib) => called(ctx, view, bib)).join(" – ") }
        : { text: t("office.tie_each", { bibs }) },
    submit: (text) => {
      if (!fits(read(text))) return t("office.tie_each", { bibs });
      withReason(ctx, {
        label: t("office.tie_why", { order: read(text).join(" – ") }),
        type: "resolve_tie",
        fields: { heat: block.heat, order: read(text) },
      });
      return null;
    },
  });
}

function conflictBindings(ctx, view, conflict) {
  const name = roundName(view, conflict.round);
  const decide = (decision) => ({
    type: "resolve_conflict",
    fields: { round: conflict.round, decision },
    label: ctx.t(`office.${decision}_why`, { round: name }),
    danger: true,
    warn: () => ctx.t(`office.${decision}_warn`, { round: name }),
  });
  const enabled = ctx.may("resolve_conflict");
  return [
    { key: "k", id: "keep", label: "office.keep", enabled, run: () => withReason(ctx, decide("keep")) },
    {
      key: "m",
      id: "recompute",
      label: "office.recompute",
      enabled: enabled && conflict.can_recompute,
      run: () => withReason(ctx, decide("recompute")),
    },
  ];
}

// -- what is shown ------------------------------------------------------------------------------------------

export function advancementView(ctx, view) {
  const { t } = ctx;
  const round = shownRound(ctx, view);
  const conflicts = view.conflicts.map((one, index) => conflictCard(ctx, view, one, index === 0));
  if (round === null) return h("p", { class: "empty", key: "none" }, t("office.not_composed"));
  return [
    h(
      "p",
      { class: "office-line", key: "line", "data-round": round.round },
      h("strong", null, round.name),
      " ",
      h(
        "span",
        { class: `chip ${round.state === "ridden" ? "amber" : ""}`, "data-state": round.state },
        t(round.state === "closed" ? "office.advance_closed" : "office.advance_open"),
      ),
      " ",
      h("span", { class: "soft" }, t(`office.round_${round.state}`)),
    ),
    conflicts.length + round.blocks.length === 0
      ? null
      : h(
          "ul",
          { class: "cards", key: "decide" },
          conflicts,
          round.blocks.map((one) => blockCard(ctx, one, one === tieOf(round))),
        ),
    round.going.length === 0
      ? h("p", { class: "empty", key: "empty" }, t("office.nobody_goes"))
      : h(
          "div",
          { class: "scroll office-scroll heats", key: "going", tabindex: "0", role: "region", "aria-label": t("office.panel_advance") },
          round.heats.map((heat) => goingCard(ctx, view, round, heat)),
        ),
  ];
}

function conflictCard(ctx, view, one, first) {
  return h(
    "li",
    { class: "card red", key: `conflict-${one.round}`, "data-conflict": one.round },
    h("p", null, "■ ", h("strong", null, ctx.t("office.conflict", { round: roundName(view, one.round) })), " ", h("span", coreWords(ctx), one.text)),
    h("ul", coreWords(ctx), one.changes.map((change) => h("li", { key: change }, "– ", change))),
    one.can_recompute ? null : h("p", null, ctx.t("office.cannot_recompute")),
    first ? h("p", { class: "card-keys" }, ctx.button("keep"), ctx.button("recompute")) : null,
  );
}

function blockCard(ctx, one, tie) {
  return h(
    "li",
    { class: "card amber", key: `block-${one.heat}-${one.text}`, "data-block": one.heat },
    h("p", null, "▲ ", h("span", coreWords(ctx), one.text)),
    tie ? ctx.button("tie") : null,
  );
}

function goingCard(ctx, view, round, heat) {
  const { t } = ctx;
  const lines = round.going.filter((one) => one.heat === heat.heat);
  const heading = (key, number) => h("th", { scope: "col", class: number ? "num" : null }, t(key));
  return h(
    "section",
    { class: "panel heat-card", key: heat.heat, "data-heat": heat.heat },
    h("h2", null, heatName(round, heat), " ", h("span", { class: "soft" }, t(`common.status_${heat.status}`))),
    h(
      "table",
      { class: "office-table going" },
      h(
        "thead",
        null,
        h(
          "tr",
          null,
          heading("office.place", true),
          heading("office.bib", true),
          heading("office.rider"),
          heading("office.mark"),
          heading("office.goes_to"),
        ),
      ),
      h("tbody", null, lines.map((one) => goingRow(ctx, view, one, heat.status !== "official"))),
    ),
  );
}

function goingRow(ctx, view, one, provisional) {
  const place = one.place === null ? (one.status ?? "–") : ctx.format.place(one.place, provisional);
  const entry = entryOf(view, one.bib);
  return h(
    "tr",
    { key: one.bib, "data-bib": one.bib, class: one.to === "" ? "out" : null },
    h("td", { class: "num" }, place, one.place !== null && one.status ? ` ${one.status}` : ""),
    h("td", { class: "num bib" }, one.bib),
    h("th", { scope: "row", title: ctx.format.name(entry) }, nameView(ctx, entry)),
    h("td", null, h("strong", null, one.mark)),
    h(
      "td",
      { class: "goes" },
      h("span", { class: "going-to" }, one.to === "" ? ctx.t("office.out") : `→ ${roundName(view, one.to)}${one.slot ? ` (${one.slot})` : ""}`),
      one.note ? h("span", { class: "soft", ...coreWords(ctx) }, ` ${one.note}`) : null,
    ),
  );
}
