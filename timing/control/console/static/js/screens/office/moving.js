/** The cursor of each list, the panel and the round: what is looked at, kept by id so that nothing jumps. */

import { PANELS, shownRound } from "./picture.js";

/** The id under the cursor of a list among those that are there: the first before anybody chose; null without any. */
export function chosen(ctx, list, ids) {
  const kept = ctx.ui.cursor?.[list];
  return ids.includes(kept) ? kept : (ids[0] ?? null);
}

export function choose(ctx, list, id) {
  ctx.ui.cursor = { ...ctx.ui.cursor, [list]: id };
  requestAnimationFrame(() => document.querySelector(".office .chosen")?.scrollIntoView({ block: "nearest" }));
  ctx.redraw();
}

/** One down (+1) or up (-1); it stays at the ends. */
export function step(ctx, list, ids, by) {
  const at = ids.indexOf(chosen(ctx, list, ids)) + by;
  const id = ids[Math.min(ids.length - 1, Math.max(0, at))];
  if (id !== undefined) choose(ctx, list, id);
}

/** Arrow keys for a list. */
export function arrows(ctx, list, ids) {
  return [
    { key: "ArrowDown", id: "row-after", label: "office.row_after", bar: false, run: () => step(ctx, list, ids, +1) },
    { key: "ArrowUp", id: "row-before", label: "office.row_before", bar: false, run: () => step(ctx, list, ids, -1) },
  ];
}

/** Attributes of a row that a hand can choose. */
export function row(ctx, list, id, here) {
  const marked = here ? { class: "chosen", "aria-current": "true" } : {};
  return { key: id, "data-row": id, onclick: () => choose(ctx, list, id), ...marked };
}

export function show(ctx, panel, round = null) {
  ctx.ui.panel = panel;
  if (round) ctx.ui.round = round;
  ctx.redraw();
}

export function panelBindings(ctx) {
  return PANELS.map((panel, index) => ({
    key: String(index + 1),
    id: `panel-${panel}`,
    label: `office.panel_${panel}`,
    bar: false,
    run: () => {
      // A panel opened by hand begins with the round in work, not with one looked up long ago.
      if (ctx.ui.panel !== panel) ctx.ui.round = null;
      ctx.ui.panel = panel;
    },
  }));
}

/** Keys to look at the round before and after. */
export function roundBindings(ctx, view) {
  const turn = (by) => {
    const at = view.rounds.indexOf(shownRound(ctx, view)) + by;
    const round = view.rounds[Math.min(view.rounds.length - 1, Math.max(0, at))];
    if (round) ctx.ui.round = round.round;
  };
  return [
    { key: "PageUp", id: "round-before", label: "office.round_before", bar: false, run: () => turn(-1) },
    { key: "PageDown", id: "round-after", label: "office.round_after", bar: false, run: () => turn(+1) },
  ];
}
