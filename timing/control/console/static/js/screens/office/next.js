/** What the race office does next: the big line on top, and the key that does it wherever the screen is. */

import { h } from "../../dom.js";
import { confirmRoundBinding, tieBinding } from "./advancement.js";
import { issueBinding } from "./communiques.js";
import { composeBinding, confirmListsBinding, positionsBinding } from "./composition.js";
import { unrankedBinding } from "./entries.js";
import { choose, show } from "./moving.js";
import { openFile } from "./upload.js";

/** What is issued when all is ridden: as `issuable` names it. */
const FINAL = "classification:";

/** Where each step is done, and the binding that does it; without one the key only leads there. */
const STEPS = {
  take_entries: {
    panel: "entries",
    binding: (ctx) => ({ enabled: ctx.may("take_entries"), run: openFile }),
  },
  draw: {
    panel: (next) => (next.round === "" ? "entries" : "round"),
    binding: (ctx, view) => (view.next.round === "" ? unrankedBinding(ctx, view) : positionsBinding(ctx, view)),
  },
  compose: { panel: "round", binding: composeBinding },
  confirm_composition: { panel: "round", binding: confirmListsBinding },
  open_heat: { panel: "programme" },
  confirm_round: { panel: "advance", binding: confirmRoundBinding },
  resolve_tie: { panel: "advance", binding: tieBinding },
  resolve_conflict: { panel: "advance" },
  confirm: { panel: "advance" },
  issue_communique: { panel: "communiques", binding: issueBinding },
};

/** The key `n`. What is dangerous stays so; the panel opens with the first key, so that it is seen before Enter. */
export function nextBinding(ctx, view) {
  const step = STEPS[view.next.action];
  if (step === undefined) return null;
  const go = () => goTo(ctx, view, step);
  const elsewhere = ctx.ui.panel !== panelOf(step, view.next);
  const target = step.binding?.(there(ctx, view, step), view) ?? { enabled: elsewhere, run: () => null };
  return {
    key: "n",
    id: "next",
    label: `office.do_${view.next.action}`,
    primary: !target.danger,
    // It stands beside the sentence that it does.
    bar: false,
    enabled: target.enabled ?? true,
    ...(target.danger ? { danger: true, warn: () => (go(), target.warn()) } : {}),
    run: () => {
      if (!target.danger) go();
      return target.run();
    },
  };
}

const panelOf = (step, next) => (typeof step.panel === "function" ? step.panel(next) : step.panel);

function goTo(ctx, view, step) {
  show(ctx, panelOf(step, view.next), view.next.round || null);
  if (view.next.action === "issue_communique") choose(ctx, "open", FINAL);
}

/** The screen as it would be in the panel and round of the step, whatever is looked at now. */
function there(ctx, view, step) {
  const { next } = view;
  const ui = { ...ctx.ui, panel: panelOf(step, next), round: next.round || ctx.ui.round };
  if (next.action === "issue_communique") ui.cursor = { ...ui.cursor, open: FINAL };
  return Object.create(ctx, { ui: { value: ui } });
}

export function nextLine(ctx, view) {
  const { t } = ctx;
  const { next } = view;
  const name = view.rounds.find((one) => one.round === next.round)?.name ?? next.round;
  const may = ctx.may(next.action) || STEPS[next.action]?.binding === undefined;
  return h(
    "section",
    { class: "office-next", key: "next", "aria-label": t("office.next"), "data-action": next.action },
    h("p", { class: "next-label" }, t("office.next")),
    h(
      "div",
      null,
      // The core says it in English; in another language its action is said and its sentence stands below.
      h("p", { class: "next-text" }, ctx.lang === "en" ? capital(next.text) : t(`office.next_${next.action}`, { round: name })),
      ctx.lang === "en" ? null : h("p", { class: "next-core soft", lang: "en" }, next.text),
      may ? null : h("p", { class: "next-other soft" }, t("office.next_other")),
    ),
    ctx.button("next"),
  );
}

const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
