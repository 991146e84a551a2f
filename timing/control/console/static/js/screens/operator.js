/**
 * The timing operator's screen: boxes, field, track, programme, record, passings, and everything that the operator may
 * order, from the keyboard alone.
 */

import { h } from "../dom.js";
import { trackMap } from "../track.js";
import { deviceStrip } from "./operator/devices.js";
import { fieldTable } from "./operator/field.js";
import { passingsPanel, sharedPanel } from "./operator/lists.js";
import { bindings } from "./operator/orders.js";
import { needsYou } from "./operator/side.js";

const WIDE_MAP = { width: 560, height: 330 };
/** Drawn smaller, so that its bibs and loops are larger on a tablet. */
const NARROW_MAP = { width: 440, height: 370, side: 58 };
const narrow = matchMedia("(max-width: 1100px)");

function start(ctx) {
  narrow.addEventListener("change", () => ctx.redraw());
  ctx.ui.list = "missed";
  ctx.ui.panel = "programme";
}

function view(ctx) {
  return h(
    "div",
    { class: "operator", key: "operator" },
    deviceStrip(ctx),
    fieldTable(ctx),
    h(
      "section",
      { class: "panel map", key: "map", "aria-label": ctx.t("operator.track") },
      trackMap(ctx, narrow.matches ? NARROW_MAP : WIDE_MAP),
    ),
    sharedPanel(ctx),
    passingsPanel(ctx),
  );
}

export const screen = {
  id: "operator",
  title: "common.screen_operator",
  roles: ["operator", "starter"],
  start,
  view,
  side: needsYou,
  bindings,
};
