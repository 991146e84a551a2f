/** What needs a person in the race office: conflicts, what blocks a round, compatriots, the delay, what comes next. */

import { h } from "../../dom.js";
import { proposalCards } from "./composition.js";
import { coreWords, delayWords, minute, roundName } from "./picture.js";

export function needsYou(ctx, view) {
  const { t } = ctx;
  // Who looks at the advancement has conflicts and blocks before them already.
  const decide = [...conflicts(ctx, view), ...blocks(ctx, view)];
  const here = ctx.ui.panel === "advance" && decide.length > 0;
  const cards = [...(here ? [] : decide), ...proposalCards(ctx, view), ...started(ctx, view)];
  return [
    h("h2", { key: "head" }, t("common.needs_you")),
    cards.length === 0
      ? h("p", { class: "soft", key: "none" }, t(here ? "office.waits_here" : "office.nothing_waits"))
      : h("ul", { class: "cards", key: "cards" }, cards),
    programme(ctx),
  ];
}

function conflicts(ctx, view) {
  return view.conflicts.map((one) =>
    h(
      "li",
      { class: "card red", key: `conflict-${one.round}` },
      h("p", null, "■ ", h("strong", null, ctx.t("office.conflict", { round: roundName(view, one.round) })), " ", h("span", coreWords(ctx), one.text)),
      leads(ctx, "advance"),
    ),
  );
}

function blocks(ctx, view) {
  return view.rounds.flatMap((round) =>
    round.blocks.map((one) =>
      h(
        "li",
        { class: "card amber", key: `block-${one.heat}-${one.text}` },
        h("p", null, "▲ ", h("span", coreWords(ctx), one.text)),
        leads(ctx, "advance"),
      ),
    ),
  );
}

/** A rider withdrawn after the start list was confirmed stays on it: the commissaires rule DNS in the heat. */
function started(ctx, view) {
  const out = new Map(view.entries.filter((one) => one.withdrawn !== null).map((one) => [one.entry.bib, one]));
  return view.rounds
    .filter((round) => round.state === "start_list")
    .flatMap((round) => round.heats.filter((heat) => heat.status === "none"))
    .flatMap((heat) => heat.riders.filter((one) => out.has(one.bib)).map((one) => ({ heat: heat.heat, bib: one.bib })))
    .map((one) =>
      h("li", { class: "card amber", key: `dns-${one.bib}` }, h("p", null, "▲ ", ctx.t("office.rule_dns", one))),
    );
}

const leads = (ctx, panel) => ctx.button(`panel-${panel}`, { key: `to-${panel}` });

function programme(ctx) {
  const schedule = ctx.store.get("schedule");
  if (!schedule?.next.length || ctx.ui.panel === "programme") return null;
  const lines = new Map(schedule.lines.map((one) => [one.heat, one]));
  return [
    h("h2", { key: "next-head" }, ctx.t("office.next_heats")),
    h("p", { key: "delay", class: "soft" }, delayWords(ctx, schedule.delay_ms)),
    h(
      "ol",
      { class: "next-heats", key: "next" },
      schedule.next.map((id) =>
        h(
          "li",
          { key: id },
          h("span", { class: "num" }, minute(ctx, lines.get(id)?.expected_us, schedule.timezone)),
          " ",
          lines.get(id)?.name ?? id,
        ),
      ),
    ),
  ];
}
