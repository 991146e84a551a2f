/** The commissaires' panel: decisions with their effect before they are given, who stands where and why, official. */

import { h } from "../dom.js";
import { cancelFlow, flowBindings, flowKey, flowView, startDecision, startProposed } from "./commissaire/deciding.js";
import { historyView, stepEntry } from "./commissaire/history.js";
import { ridersTable, selectByDigit, selectedBib, stepRider } from "./commissaire/riders.js";
import { whyView } from "./commissaire/why.js";
import { offeredDecisions, ruledWords } from "./commissaire/decide.js";
import { alertCards, alertsHere } from "./ruling/alerts.js";
import { heatBindings, nameOf, part, shownHeat, statusLine, timeOfDay } from "./ruling/heat.js";
import { keepTrue, pendingBindings, pendingView } from "./ruling/pending.js";
import { officialBindings, undoBindings } from "./ruling/undo.js";

const RULING = ["commissaire", "president"];

export const screen = {
  id: "commissaire",
  title: "commissaire.title",
  roles: [...RULING, "judge", "secretary"],
  view,
  side,
  bindings,
  onKey,
};

function onKey(ctx, event) {
  if (ctx.ui.flow) return flowKey(ctx, event);
  return !ctx.ui.pending && selectByDigit(ctx, event);
}

function bindings(ctx) {
  if (ctx.ui.pending) return [...pendingBindings(ctx, () => cancelFlow(ctx)), ...flowBindings(ctx)];
  if (ctx.ui.flow) return flowBindings(ctx);
  const history = ctx.ui.entry !== null && ctx.ui.entry !== undefined;
  return [
    ...(history ? entryKeys(ctx) : riderKeys(ctx)),
    ...decisionKeys(ctx),
    ...proposedKey(ctx),
    { key: "w", id: "why", label: "why.ask", enabled: selectedBib(ctx) !== null, run: () => (ctx.ui.why = !ctx.ui.why) },
    { key: "h", id: "history", label: history ? "history.leave" : "history.enter", run: () => stepEntry(ctx, history ? null : 0) },
    ...undoBindings(ctx, chosenEntry(ctx)),
    ...officialBindings(ctx),
    ...heatBindings(ctx),
  ];
}

function riderKeys(ctx) {
  const keys = [
    { key: "ArrowDown", id: "rider-after", run: () => stepRider(ctx, +1) },
    { key: "ArrowUp", id: "rider-before", run: () => stepRider(ctx, -1) },
    { key: "j", id: "rider-after-j", run: () => stepRider(ctx, +1) },
    { key: "k", id: "rider-before-k", run: () => stepRider(ctx, -1) },
  ];
  return keys.map((one) => ({ ...one, label: `commissaire.${one.id.replace(/-[jk]$/, "").replace("-", "_")}`, bar: false }));
}

function entryKeys(ctx) {
  return [
    { key: "ArrowDown", id: "entry-after", label: "history.older", bar: false, run: () => stepEntry(ctx, +1) },
    { key: "ArrowUp", id: "entry-before", label: "history.newer", bar: false, run: () => stepEntry(ctx, -1) },
    { key: "Escape", id: "entry-leave", label: "history.leave", bar: false, run: () => stepEntry(ctx, null) },
  ];
}

function decisionKeys(ctx) {
  if (!RULING.includes(ctx.role)) return [];
  const codes = ctx.store.get("meet")?.codes ?? [];
  const result = part(ctx, "result");
  const enabled = result !== undefined && result.status !== "official" && selectedBib(ctx) !== null;
  return offeredDecisions(codes).map((one) => ({
    key: one.key,
    id: `decide-${one.code}`,
    label: one.label,
    enabled,
    group: "commissaire.decisions",
    run: () => startDecision(ctx, selectedBib(ctx), one.code),
  }));
}

/** The disqualification that the count of warnings or relegations proposes (UCI 3.2.013, 3.10.003). */
function proposedKey(ctx) {
  const proposed = proposedBib(ctx);
  if (proposed === null || !RULING.includes(ctx.role) || part(ctx, "result")?.status === "official") return [];
  const run = () => startProposed(ctx, proposed);
  return [{ key: "q", id: "propose-dsq", bar: false, label: "commissaire.take_proposal", params: { bib: proposed }, run }];
}

function proposedBib(ctx) {
  const alert = alertsHere(ctx).find((one) => one.key.startsWith("propose_dsq"));
  return alert === undefined ? null : String(alert.params.bib);
}

function chosenEntry(ctx) {
  const entries = part(ctx, "history")?.entries ?? [];
  return entries.find((one) => one.id === ctx.ui.entry) ?? null;
}

function view(ctx) {
  const { t } = ctx;
  keepTrue(ctx);
  if (shownHeat(ctx) === null) return h("div", { class: "commissaire" }, statusLine(ctx));
  const ruling = ctx.ui.pending || ctx.ui.flow;
  return h(
    "div",
    { class: ruling ? "commissaire ruling" : "commissaire" },
    h(
      "section",
      { class: "commissaire-heat", key: "heat", tabindex: "0", "aria-label": t("commissaire.riders_caption") },
      statusLine(ctx),
      // The effect has every rider in it, before and after.
      pendingView(ctx) ?? ridersTable(ctx),
      flowView(ctx),
      ruling ? null : whyView(ctx),
    ),
    historyView(ctx),
  );
}

function side(ctx) {
  const { t } = ctx;
  const result = part(ctx, "result");
  const decisions = result?.decisions ?? [];
  return [
    h("h2", { key: "head" }, t("commissaire.side")),
    h("ul", { class: "cards", key: "cards" }, alertCards(ctx), proposal(ctx), official(ctx, result)),
    h("h2", { key: "decisions-head" }, t("commissaire.in_force")),
    decisions.length === 0
      ? h("p", { class: "soft", key: "none" }, t("commissaire.no_decisions"))
      : h("ul", { class: "cards", key: "decisions" }, decisions.map((one) => decisionCard(ctx, one))),
  ];
}

function proposal(ctx) {
  const button = ctx.button("propose-dsq");
  return button === null ? null : h("li", { key: "proposal", class: "card" }, button);
}

function official(ctx, result) {
  if (result?.status !== "provisional") return null;
  const text = ctx.role === "president" ? ctx.t("finish.president_you") : ctx.t("finish.president_other");
  return h("li", { key: "official", class: "card" }, h("p", null, "◐ ", text), ctx.button("confirm"));
}

function decisionCard(ctx, one) {
  const { t } = ctx;
  const whom = { bib: one.bib, name: nameOf(ctx, one.bib), what: ruledWords(one.code, t) };
  const signed = { actor: one.actor, role: t(`common.role_${one.role}`), time: timeOfDay(ctx, one.at_us) };
  return h(
    "li",
    { key: one.command, class: "card decision", "data-decision": `${one.code}-${one.bib}` },
    h("p", null, h("strong", null, t("commissaire.decision_of", whom))),
    h("p", null, [one.article, one.reason].filter(Boolean).join(" · ")),
    h("p", { class: "soft" }, t("history.signed", signed)),
  );
}
