/**
 * Which list the arrows move in, and which row of each list is selected. A selection holds on to its row, not to its
 * place: what comes in above does not move it. When the row itself goes, the next takes its place and the moment is
 * noted, so that a key that was meant for the old row can be refused; a row that a person chose is the one meant.
 */

import { historyRows, inboxItems, missedReads } from "./model.js";

export const LISTS = ["missed", "programme", "history", "inbox", "boxes", "passings"];
/** Those of them that share one panel. */
export const SHARED = ["programme", "history", "inbox", "boxes"];

export function rowsOf(ctx, list) {
  const { store } = ctx;
  switch (list) {
    case "missed":
      return missedReads(store.heat("splits"));
    case "programme":
      return (store.get("meet")?.heats ?? []).map((one) => ({ ...one, id: one.heat }));
    case "history":
      return historyRows(store.heat("history"));
    case "inbox":
      return inboxItems(store.heat("splits"), store.get("health"));
    case "boxes":
      return store.below("devices/").map(([id, message]) => ({ id, message }));
    default:
      return store
        .passings()
        .slice(0, 60)
        .map((one) => ({ ...one, id: `${one.read}${one.loop}` }));
  }
}

/** The selected row of a list, or null when it is empty. */
export function chosen(ctx, list) {
  const rows = rowsOf(ctx, list);
  const state = (ctx.ui.selected ??= {});
  const was = state[list];
  let at = rows.findIndex((one) => one.id === was?.id);
  if (at < 0) {
    at = Math.min(was?.at ?? startAt(ctx, list, rows), rows.length - 1);
    if (was && list === "missed") ctx.ui.movedAt = performance.now();
  }
  if (at < 0) {
    delete state[list];
    return null;
  }
  state[list] = { id: rows[at].id, at };
  return rows[at];
}

function startAt(ctx, list, rows) {
  return list === "programme"
    ? Math.max(
        0,
        rows.findIndex((one) => one.id === ctx.store.current()?.heat),
      )
    : 0;
}

export function select(ctx, list, id) {
  const at = rowsOf(ctx, list).findIndex((one) => one.id === id);
  (ctx.ui.selected ??= {})[list] = { id, at };
  ctx.ui.movedAt = undefined;
  show(ctx, list);
}

export function move(ctx, step) {
  const rows = rowsOf(ctx, ctx.ui.list);
  const one = chosen(ctx, ctx.ui.list);
  if (!one) return;
  const at = Math.max(0, Math.min(rows.length - 1, ctx.ui.selected[ctx.ui.list].at + step));
  ctx.ui.selected[ctx.ui.list] = { id: rows[at].id, at };
  ctx.ui.movedAt = undefined;
  ctx.redraw();
  reveal(ctx.ui.list);
}

/** Bring the selected row into the list's window, after the picture is drawn. */
export function reveal(list) {
  requestAnimationFrame(() =>
    requestAnimationFrame(() =>
      document.querySelector(`[data-list="${list}"] [data-selected]`)?.scrollIntoView({ block: "nearest" }),
    ),
  );
}

export function show(ctx, list) {
  ctx.ui.list = list;
  if (SHARED.includes(list)) ctx.ui.panel = list;
  ctx.redraw();
  reveal(list);
}
