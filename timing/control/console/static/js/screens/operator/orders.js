/** The keys of the operator's screen and the orders behind them. What a role may not order stays greyed out. */

import { seenNow } from "../../send.js";
import { allowed, canUndo, missedReads, redoTarget, undoTarget } from "./model.js";
import { askLaps, askManual, askMishap, askOpen, askRestart, askSetAside, askStop, askSwap } from "./questions.js";
import { LISTS, chosen, move, show } from "./selection.js";

/** Orders whose undoing moves the whole race: they ask for the second key. */
const RACE_FLOW = new Set(["open_heat", "arm", "gun", "stop", "restart", "close"]);
/** So long after the list moved by itself a key is taken to be meant for what was there before. */
const MOVED_MS = 400;

/** Accept or reject what is selected; not in the moment in which the list moved under the hand. */
function decideRead(ctx, type) {
  const one = chosen(ctx, "missed");
  if (!one) return;
  if (performance.now() - (ctx.ui.movedAt ?? 0) < MOVED_MS) {
    ctx.say("operator.list_moved", {}, "bad");
    return;
  }
  ctx.send({ type, bib: one.bib, mark: one.mark });
}

function undoing(ctx) {
  const history = ctx.store.heat("history");
  const selected = ctx.ui.list === "history" ? chosen(ctx, "history") : null;
  const takeable = selected && canUndo(selected, ctx.role) && selected.action.type !== "undo";
  const undo = selected ? (takeable ? selected : null) : undoTarget(history, ctx.role);
  const redo = selected ? (selected.undone_by ? selected : null) : redoTarget(history);
  return { undo, redo };
}

/** What an order was, in a word or two, as it stands on its button. */
export function orderName(ctx, entry) {
  return ctx.t(`common.action_${entry.action.type}`);
}

export function bindings(ctx) {
  return [...raceKeys(ctx), ...readKeys(ctx), ...recordKeys(ctx), ...listKeys(ctx)];
}

/** A binding that gives an order of this type, where role and state of the heat allow it. */
function binding(ctx, group, type, open, rest) {
  return {
    label: `operator.${rest.id}`,
    about: `operator.about_${rest.id}`,
    group,
    enabled: open && ctx.may(type),
    ...rest,
  };
}

function raceKeys(ctx) {
  const { store, t } = ctx;
  const state = store.current()?.state ?? "none";
  const bell = store.current()?.bell;
  const may = allowed(state);
  // What was seen with the first key, not what came before the second one.
  const seen = seenNow(ctx);
  const send = (action) => () => ctx.send(action, { seen });
  const key = (type, open, rest) => binding(ctx, "operator.keys_race", type, open, rest);
  const idle = ["none", "official"].includes(state);
  const reason = t("operator.double_shot");
  return [
    key("open_heat", may.open, { key: "o", id: "open", primary: idle, run: () => askOpen(ctx) }),
    key("arm", may.arm, { key: "a", id: "arm", primary: true, run: send({ type: "arm" }) }),
    key("gun", may.gun, {
      key: "g",
      id: "gun",
      danger: true,
      warn: () => t("operator.warn_gun"),
      run: send({ type: "gun", at_us: null }),
    }),
    key("bell", may.bell && !bell?.rung_us, {
      key: "b",
      id: "bell",
      primary: bell?.prompt === true,
      run: send({ type: "bell", at_us: null }),
    }),
    key("lap_counter", may.laps, { key: "l", id: "laps", run: () => askLaps(ctx) }),
    key("close", may.close, {
      key: "f",
      id: "close",
      danger: true,
      warn: () => t("operator.warn_close"),
      run: send({ type: "close" }),
    }),
    key("stop", may.stop, {
      key: "s",
      id: "stop",
      danger: true,
      warn: () => t("operator.warn_stop", { reason }),
      run: send({ type: "stop", reason }),
    }),
    key("stop", may.stop, { key: "Shift+S", id: "stop_because", bar: false, run: () => askStop(ctx) }),
    key("restart", may.restart, { key: "r", id: "restart", primary: true, run: () => askRestart(ctx) }),
    key("mishap", may.mishap, { key: "p", id: "mishap", run: () => askMishap(ctx) }),
  ];
}

function readKeys(ctx) {
  const may = allowed(ctx.store.current()?.state ?? "none").reads;
  const missed = missedReads(ctx.store.heat("splits")).length > 0;
  const passing = ctx.ui.list === "passings" ? chosen(ctx, "passings") : null;
  const key = (type, open, rest) => binding(ctx, "operator.keys_reads", type, may && open, rest);
  const decide = (type) => ({ bar: false, run: () => decideRead(ctx, type) });
  return [
    key("accept_inferred", missed, { key: "y", id: "accept", ...decide("accept_inferred") }),
    key("reject_inferred", missed, { key: "n", id: "reject", ...decide("reject_inferred") }),
    key("manual_passing", true, { key: "m", id: "manual", run: () => askManual(ctx) }),
    key("swap_transponder", true, { key: "t", id: "swap", run: () => askSwap(ctx) }),
    key("set_aside", passing !== null && passing.heat !== null, {
      key: "v",
      id: "set_aside",
      run: () => askSetAside(ctx, passing),
    }),
  ];
}

function recordKeys(ctx) {
  const { undo, redo } = undoing(ctx);
  const seen = seenNow(ctx);
  const key = (id, entry, rest) => {
    const what = entry ? orderName(ctx, entry) : "";
    return {
      id,
      group: "operator.keys_record",
      text: ctx.t(entry ? `operator.${id}` : `operator.${id}_none`, { what }),
      enabled: entry !== null && ctx.may("undo"),
      danger: entry !== null && RACE_FLOW.has(entry.action.type),
      warn: () => ctx.t(`operator.warn_${id}`, { what }),
      ...rest,
    };
  };
  return [
    key("undo", undo, { key: "u", run: () => ctx.send({ type: "undo", command: undo.id }, { seen }) }),
    key("redo", redo, { key: "Shift+U", run: () => ctx.send({ type: "undo", command: redo.undone_by }, { seen }) }),
  ];
}

function listKeys(ctx) {
  const key = (name, id, label, run) => ({ key: name, id, group: "operator.keys_panels", label, bar: false, run });
  const opens =
    ctx.ui.list === "programme" && allowed(ctx.store.current()?.state ?? "none").open && ctx.may("open_heat");
  return [
    ...LISTS.map((list, i) => key(String(i + 1), `list-${list}`, `operator.list_${list}`, () => show(ctx, list))),
    ...["ArrowDown", "j"].map((name) => key(name, `down-${name}`, "operator.down", () => move(ctx, 1))),
    ...["ArrowUp", "k"].map((name) => key(name, `up-${name}`, "operator.up", () => move(ctx, -1))),
    { ...key("Enter", "enter", "operator.open_selected", () => askOpen(ctx)), enabled: opens },
  ];
}
