/** A round's heats side by side: who rides where and why, exchanges between heats, the lot for the line, the start lists. */

import { h } from "../../dom.js";
import { choose, chosen, roundBindings } from "./moving.js";
import { askSeed, order, settled, withReason } from "./orders.js";
import { called, coreWords, entryOf, heatName, nameView, shownRound } from "./picture.js";

const LIST = "composition";
const SIGNS = { none: "○", virtual: "○", provisional: "◐", official: "✔" };

const riding = (round) => round?.heats.flatMap((heat) => heat.riders.map((one) => one.bib)) ?? [];

export function compositionBindings(ctx, view) {
  const round = shownRound(ctx, view);
  return [
    swapBinding(ctx, view, round),
    proposalBinding(ctx, view, round),
    composeBinding(ctx, view),
    positionsBinding(ctx, view),
    confirmListsBinding(ctx, view),
    ...cursorBindings(ctx, round),
    ...roundBindings(ctx, view),
    { key: "Escape", id: "leave-swap", label: "office.leave_swap", bar: false, run: () => (ctx.ui.first = null) },
  ];
}

/** The heats as the format has them. Over a composition with exchanges it needs a second key. */
export function composeBinding(ctx, view) {
  const { next } = view;
  const round = shownRound(ctx, view);
  const id = round?.round ?? (next.action === "compose" ? next.round : "");
  const composed = round?.state === "composed";
  const enabled = ctx.may("compose") && id !== "" && (round === null || round.state === "open" || composed);
  const act = () => order(ctx, "compose", { round: id });
  const binding = { key: "o", id: "compose", label: composed ? "office.compose_anew" : "office.compose", enabled };
  if (!composed) return { ...binding, run: act };
  const warn = () => ctx.t("office.compose_warn", { round: round.name, n: round.swaps.length });
  return settled(ctx, { ...binding, warn, seen: (now) => shownRound(ctx, now)?.heats, act });
}

export function positionsBinding(ctx, view) {
  const round = shownRound(ctx, view);
  return {
    key: "d",
    id: "draw-positions",
    label: "office.draw_positions",
    enabled: ctx.may("draw") && round?.state === "composed" && round.draw_seed === null,
    run: () => askSeed(ctx, `start_positions:${round.round}`, ctx.t("office.seed_positions", { round: round.name })),
  };
}

/** Final start lists: heats can be opened from then on, and nothing in them is exchanged any more. */
export function confirmListsBinding(ctx, view) {
  const round = shownRound(ctx, view);
  return settled(ctx, {
    key: "f",
    id: "confirm-lists",
    label: "office.confirm_lists",
    enabled: ctx.may("confirm_composition") && round?.state === "composed",
    warn: () => ctx.t("office.confirm_lists_warn", { round: round.name, n: round.heats.length }),
    seen: (now) => shownRound(ctx, now)?.heats,
    act: () => order(ctx, "confirm_composition", { round: round.round }),
  });
}

/** First key marks a rider, the cursor goes on, the second asks for the reason. */
function swapBinding(ctx, view, round) {
  const bib = chosen(ctx, LIST, riding(round));
  const first = marked(ctx, round);
  const ready = first !== null && first !== bib;
  return {
    key: "s",
    id: "swap",
    label: ready ? "office.swap_with" : "office.swap",
    params: { first, second: bib },
    enabled: ctx.may("swap_riders") && round?.state === "composed" && bib !== null,
    run: () => {
      if (!ready) ctx.ui.first = first === null ? bib : null;
      else askSwap(ctx, view, round, first, bib, "");
    },
  };
}

function proposalBinding(ctx, view, round) {
  const proposal = round?.proposals[0];
  return {
    key: "p",
    id: "proposal",
    label: "office.take_proposal",
    bar: false,
    enabled: ctx.may("swap_riders") && round?.state === "composed" && proposal !== undefined,
    run: () => askSwap(ctx, view, round, proposal.first, proposal.second, ctx.t("office.reason_parted")),
  };
}

function askSwap(ctx, view, round, first, second, value) {
  ctx.ui.first = null;
  withReason(ctx, {
    label: ctx.t("office.swap_why", { first: called(ctx, view, first), second: called(ctx, view, second) }),
    value,
    type: "swap_riders",
    fields: { round: round.round, first, second },
  });
}

/** The rider marked for an exchange, while that rider is in this round. */
function marked(ctx, round) {
  return riding(round).includes(ctx.ui.first) ? ctx.ui.first : null;
}

/** Up and down within a heat, left and right to the heat beside it. */
function cursorBindings(ctx, round) {
  const heats = round?.heats ?? [];
  const move = (across, down) => {
    const bib = chosen(ctx, LIST, riding(round));
    const from = heats.findIndex((heat) => heat.riders.some((one) => one.bib === bib));
    if (from < 0) return;
    const line = heats[from].riders.findIndex((one) => one.bib === bib);
    const heat = heats[Math.min(heats.length - 1, Math.max(0, from + across))];
    const to = heat.riders[Math.min(heat.riders.length - 1, Math.max(0, line + down))];
    if (to) choose(ctx, LIST, to.bib);
  };
  const key = (name, id, across, down) => ({
    key: name,
    id,
    label: `office.${id.replace("-", "_")}`,
    bar: false,
    run: () => move(across, down),
  });
  return [
    key("ArrowDown", "row-after", 0, +1),
    key("ArrowUp", "row-before", 0, -1),
    key("ArrowRight", "heat-right", +1, 0),
    key("ArrowLeft", "heat-left", -1, 0),
  ];
}

// -- what is shown ------------------------------------------------------------------------------------------

export function compositionView(ctx, view) {
  const { t } = ctx;
  const round = shownRound(ctx, view);
  if (round === null) return h("p", { class: "empty", key: "none" }, t("office.not_composed"));
  const here = chosen(ctx, LIST, riding(round));
  const first = marked(ctx, round);
  return [
    h(
      "p",
      { class: "office-line", key: "line", "data-round": round.round },
      h("strong", null, round.name),
      " ",
      h("span", { class: `chip ${round.state === "composed" ? "amber" : ""}` }, t(`office.round_${round.state}`)),
      round.draw_seed ? [" ", t("office.lot_seed"), " ", h("code", { "data-seed": round.round }, round.draw_seed)] : null,
      first === null ? null : h("strong", { class: "marked-line" }, " ⇄ ", t("office.swap_first", { rider: called(ctx, view, first) })),
    ),
    round.heats.length === 0
      ? h("p", { class: "empty", key: "empty" }, t("office.round_empty"))
      : h(
          "div",
          { class: "scroll office-scroll heats", key: "heats", tabindex: "0", role: "region", "aria-label": t("office.panel_round") },
          round.heats.map((heat) => heatCard(ctx, view, round, heat, { here, first })),
        ),
    round.swaps.length === 0 ? null : swapsView(ctx, view, round),
  ];
}

function heatCard(ctx, view, round, heat, cursor) {
  const { t } = ctx;
  const pairs = round.compatriots.filter((one) => one.heat === heat.heat);
  const alone = new Set(pairs.flatMap((one) => one.bibs));
  const heading = (key, number) => h("th", { scope: "col", class: number ? "num" : null }, t(key));
  return h(
    "section",
    { class: "panel heat-card", key: heat.heat, "data-heat": heat.heat },
    h(
      "h2",
      null,
      heatName(round, heat),
      " ",
      heat.status === "none" ? null : h("span", { class: "soft" }, SIGNS[heat.status], " ", t(`common.status_${heat.status}`)),
      heat.walkover ? h("span", { class: "chip amber" }, "▲ ", t("office.walkover")) : null,
    ),
    h(
      "table",
      { class: "office-table" },
      h(
        "thead",
        null,
        h(
          "tr",
          null,
          h("td", null),
          heading("office.line", true),
          heading("office.bib", true),
          heading("office.rider"),
          heading("office.nation"),
          heading("office.slot"),
        ),
      ),
      h(
        "tbody",
        null,
        heat.riders.map((rider) => riderRow(ctx, view, rider, alone.has(rider.bib), cursor)),
        heat.absent.map((rider) => riderRow(ctx, view, rider, false, cursor)),
      ),
    ),
    pairs.map((one) =>
      h("p", { class: "compatriots", key: one.nation }, "⚑ ", t("office.compatriots", { nation: one.nation, bibs: one.bibs.join(", ") })),
    ),
  );
}

function riderRow(ctx, view, rider, compatriot, { here, first }) {
  const { t } = ctx;
  const entry = entryOf(view, rider.bib);
  const name = ctx.format.name(entry);
  const at = rider.bib === here;
  const kinds = [at ? "chosen" : "", rider.bib === first ? "first" : ""].filter(Boolean).join(" ");
  const sign = rider.bib === first ? "⇄" : at ? "▸" : "";
  return h(
    "tr",
    {
      key: rider.bib,
      "data-bib": rider.bib,
      class: kinds || null,
      "aria-current": at ? "true" : null,
      onclick: () => choose(ctx, LIST, rider.bib),
    },
    h("td", { class: "sign", "aria-hidden": "true" }, sign),
    h("td", { class: "num" }, rider.draw ?? "–"),
    h("td", { class: "num bib" }, rider.bib),
    h("th", { scope: "row", title: name }, rider.withdrawn ? h("s", null, name) : nameView(ctx, entry), rider.withdrawn ? ` ✕ ${t("office.is_withdrawn")}` : ""),
    h(
      "td",
      { class: "nation" },
      entry.nation ?? "",
      compatriot ? h("span", { class: "flag" }, " ⚑", h("span", { class: "visually-hidden" }, t("office.compatriot"))) : null,
    ),
    h(
      "td",
      { class: "slot soft" },
      rider.slot,
      rider.swapped ? h("span", { class: "swapped" }, " ⇄", h("span", { class: "visually-hidden" }, t("office.swapped"))) : null,
    ),
  );
}

function swapsView(ctx, view, round) {
  const name = (id) => heatName(round, round.heats.find((one) => one.heat === id) ?? round.heats[0]);
  return h(
    "section",
    { class: "swaps", key: "swaps" },
    h("h2", null, ctx.t("office.swaps")),
    h(
      "ul",
      null,
      round.swaps.map((one) =>
        h(
          "li",
          { key: `${one.first}-${one.second}` },
          "⇄ ",
          ctx.t("office.swap_made", {
            first: called(ctx, view, one.first),
            second: called(ctx, view, one.second),
            first_heat: name(one.first_heat),
            second_heat: name(one.second_heat),
          }),
          ": ",
          one.reason,
        ),
      ),
    ),
  );
}

/** What the composition needs a person for: compatriots that could be parted. */
export function proposalCards(ctx, view) {
  const round = shownRound(ctx, view);
  if (round?.state !== "composed") return [];
  return round.proposals.map((one, index) =>
    h(
      "li",
      { class: "card amber", key: `proposal-${one.first}-${one.second}`, "data-proposal": `${one.first}-${one.second}` },
      h("p", null, "⚑ ", h("span", coreWords(ctx), one.text)),
      index === 0 ? ctx.button("proposal") : null,
    ),
  );
}
