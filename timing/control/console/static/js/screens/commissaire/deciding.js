/** A decision on the screen, step by step: code, reason of the rule book, effect, Enter. Escape goes back. */

import { h } from "../../dom.js";
import { nameOf, part } from "../ruling/heat.js";
import { propose } from "../ruling/pending.js";
import { beginDecision, beginProposed, decisionAction, nextOrder, reasonsFor, relegatedBefore, ruledWords, withReason } from "./decide.js";

const DIGITS = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "0"];

export function startDecision(ctx, bib, code) {
  take(ctx, beginDecision(bib, code));
}

export function startProposed(ctx, bib) {
  ctx.ui.selected = bib;
  take(ctx, beginProposed(bib, book(ctx)));
}

export function cancelFlow(ctx) {
  ctx.ui.pending = null;
  ctx.ui.flow = null;
}

/** The next step: reasons to choose from, or the effect, which the core works out. */
function take(ctx, flow) {
  ctx.ui.flow = flow;
  if (flow.step === "effect") propose(ctx, decisionAction(flow), title(ctx, flow));
  ctx.redraw();
}

function book(ctx) {
  return ctx.store.get("meet")?.reasons ?? [];
}

/** Digits choose a reason as numbered. Whether the key was one. */
export function flowKey(ctx, event) {
  const { flow } = ctx.ui;
  const at = DIGITS.indexOf(event.key);
  if (flow.step !== "reason" || at < 0 || event.ctrlKey || event.metaKey || event.altKey) return false;
  const chosen = reasonsFor(book(ctx), flow.code)[at];
  if (chosen !== undefined) take(ctx, withReason(flow, chosen));
  return true;
}

export function flowBindings(ctx) {
  const { flow } = ctx.ui;
  if (!flow) return [];
  if (flow.step === "effect") return [...orderKeys(ctx, flow), ownReasonKey(ctx, flow)];
  const reasons = reasonsFor(book(ctx), flow.code);
  const choose = () => take(ctx, withReason(flow, reasons[flow.cursor]));
  const move = (by) => {
    ctx.ui.flow = { ...flow, cursor: Math.min(reasons.length - 1, Math.max(0, flow.cursor + by)) };
    requestAnimationFrame(() => document.querySelector(".reasons .selected")?.scrollIntoView({ block: "nearest" }));
  };
  return [
    { key: "Enter", id: "choose", label: "commissaire.choose", primary: true, enabled: reasons.length > 0, run: choose },
    { key: "ArrowDown", id: "reason-after", label: "commissaire.reason_after", run: () => move(+1), bar: false },
    { key: "ArrowUp", id: "reason-before", label: "commissaire.reason_before", run: () => move(-1), bar: false },
    ownReasonKey(ctx, flow),
    { key: "Escape", id: "cancel", label: "commissaire.cancel", run: () => cancelFlow(ctx) },
  ];
}

/** A reason in the commissaire's own words; the article is kept where one was chosen. */
function ownReasonKey(ctx, flow) {
  const { t } = ctx;
  const ask = () =>
    ctx.ask({
      label: t("commissaire.own_reason_of", { decision: title(ctx, flow) }),
      value: flow.reason,
      hint: (value) => (value.trim() === "" ? { text: t("commissaire.reason_needed") } : null),
      submit: (value) => {
        if (value.trim() === "") return t("commissaire.reason_needed");
        take(ctx, withReason(flow, { article: flow.article, text: value }));
      },
    });
  return { key: "t", id: "own-reason", label: "commissaire.own_reason", run: ask };
}

/** With several relegated in one heat no article orders them: the commissaire says who is placed better. */
function orderKeys(ctx, flow) {
  const others = relegatedBefore(part(ctx, "result")?.decisions ?? [], flow.bib);
  if (flow.code !== "REL" || others.length === 0) return [];
  const turn = (by) => take(ctx, { ...flow, order: nextOrder(flow.order, others.length, by) });
  return [
    { key: "ArrowRight", id: "order-after", label: "commissaire.order_among", run: () => turn(+1) },
    { key: "ArrowLeft", id: "order-before", label: "commissaire.order_among", run: () => turn(-1), bar: false },
  ];
}

/** "4 HELAL Rayan: relegated, 3.2.042 Left the line …" */
function title(ctx, flow) {
  const { t } = ctx;
  const why = [flow.article, flow.reason].filter(Boolean).join(" ");
  const order = flow.order === null ? "" : ` (${t("commissaire.order_is", { order: flow.order })})`;
  const what = `${ruledWords(flow.code, t)}${why ? `, ${why}` : ""}${order}`;
  return t("commissaire.decision_of", { bib: flow.bib, name: nameOf(ctx, flow.bib), what });
}

/** The reasons to choose from. */
export function flowView(ctx) {
  const { t } = ctx;
  const { flow } = ctx.ui;
  if (!flow || flow.step !== "reason") return null;
  const reasons = reasonsFor(book(ctx), flow.code);
  const named = reasons.filter((one) => one.default_code === flow.code).length;
  return h(
    "section",
    { class: "reasons", key: "reasons" },
    h("h2", null, title(ctx, flow), " ", h("span", { class: "soft" }, t("commissaire.choose_reason"))),
    h(
      "ol",
      null,
      reasons.map((one, index) =>
        h(
          "li",
          { key: one.article, class: [index === flow.cursor ? "selected" : "", index >= named ? "other" : ""].join(" ").trim() || null },
          h(
            "button",
            {
              type: "button",
              class: "reason",
              "aria-current": index === flow.cursor ? "true" : null,
              onclick: () => take(ctx, withReason(flow, one)),
            },
            h("kbd", null, DIGITS[index] ?? " "),
            " ",
            h("strong", { class: "num" }, one.article),
            " ",
            h("span", null, one.text),
          ),
        ),
      ),
    ),
  );
}
