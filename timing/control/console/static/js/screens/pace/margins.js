/** Every rider against the pacer at each loop up to the exit line: behind is lawful, ahead is a matter for the commissaires. */

import { h } from "../../dom.js";
import { marginRows } from "./curve.js";

const TOO_CLOSE_M = 0.5;

export function marginsTable(ctx, shown, starters) {
  const { t } = ctx;
  const unit = ctx.ui.unit ?? "m";
  const rows = marginRows(starters, shown.pace.margins);
  const newest = Math.max(-1, ...shown.pace.margins.map((one) => one.mark));
  return h(
    "div",
    { class: "pace-margins scroll", key: "margins", tabindex: "0", role: "region", "aria-label": t("pace.margins") },
    h(
      "table",
      null,
      h("caption", null, t(`pace.margins_in_${unit}`)),
      h(
        "thead",
        null,
        h(
          "tr",
          null,
          h("th", { scope: "col", class: "num draw" }, t("pace.draw")),
          h("th", { scope: "col", class: "num" }, t("pace.bib")),
          h("th", { scope: "col" }, t("pace.rider")),
          h("th", { scope: "col", class: "num" }, t("pace.last")),
          h("th", { scope: "col", class: "num" }, t("pace.least")),
          shown.marks.map((one) => markHead(one, newest)),
        ),
      ),
      h("tbody", null, rows.map((row) => marginRow(ctx, row, shown.marks, unit, newest))),
    ),
  );
}

function markHead(one, newest) {
  const attrs = { key: one.mark, scope: "col", class: `num${one.mark === newest ? " newest" : ""}` };
  return h("th", attrs, h("span", { class: "pace-loop" }, one.loop), " ", h("span", null, Math.trunc(one.metres)));
}

function marginRow(ctx, row, marks, unit, newest) {
  const { rider, last, least } = row;
  return h(
    "tr",
    { key: rider.bib, "data-bib": rider.bib },
    h("td", { class: "num soft draw" }, rider.draw),
    h("td", { class: "num bib" }, rider.bib),
    h("th", { scope: "row" }, ctx.format.name(rider)),
    h("td", { class: `num big ${kind(last)}` }, words(ctx, last, unit)),
    h("td", { class: `num ${kind(least)}` }, words(ctx, least, unit)),
    marks.map((one) => {
      const margin = row.at.get(one.mark);
      const attrs = { key: one.mark, class: `num ${kind(margin)}${one.mark === newest ? " newest" : ""}`, "data-mark": one.mark };
      return h("td", attrs, margin ? words(ctx, margin, unit) : "");
    }),
  );
}

function kind(margin) {
  if (!margin) return "";
  return margin.margin_m < 0 ? "ahead" : margin.margin_m < TOO_CLOSE_M ? "close" : "";
}

/** "7.9", "0.264", and with a sign what is ahead or very close. */
function words(ctx, margin, unit) {
  if (!margin) return ctx.format.NOTHING;
  const amount = unit === "m" ? Math.abs(margin.margin_m).toFixed(1) : ctx.format.seconds(Math.abs(margin.margin_ms));
  return margin.margin_m < 0 ? `✕ −${amount}` : margin.margin_m < TOO_CLOSE_M ? `! ${amount}` : amount;
}
