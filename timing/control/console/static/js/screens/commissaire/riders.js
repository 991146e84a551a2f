/** The field with a cursor: arrows move it, a bib typed in digits finds it. */

import { h } from "../../dom.js";
import { bibsOf, nameOf, part } from "../ruling/heat.js";

const TYPING_MS = 1200;

/** Bib under the cursor: the first rider's before anybody chose; null where there is nobody. */
export function selectedBib(ctx) {
  const bibs = bibsOf(ctx);
  return bibs.includes(ctx.ui.selected) ? ctx.ui.selected : (bibs[0] ?? null);
}

export function stepRider(ctx, by) {
  const bibs = bibsOf(ctx);
  const at = bibs.indexOf(selectedBib(ctx)) + by;
  ctx.ui.selected = bibs[Math.min(bibs.length - 1, Math.max(0, at))] ?? null;
}

/** Digits follow each other within a moment: `1` `7` is 17. Whether the key was one. */
export function selectByDigit(ctx, event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey || !/^\d$/.test(event.key)) return false;
  const soon = event.timeStamp - (ctx.ui.typedAt ?? -Infinity) < TYPING_MS;
  const typed = (soon ? (ctx.ui.typed ?? "") : "") + event.key;
  const bibs = bibsOf(ctx);
  ctx.ui.typed = bibs.some((bib) => bib.startsWith(typed)) ? typed : event.key;
  ctx.ui.typedAt = event.timeStamp;
  const found = bibs.find((bib) => bib === ctx.ui.typed) ?? bibs.find((bib) => bib.startsWith(ctx.ui.typed));
  if (found !== undefined) {
    ctx.ui.selected = found;
    ctx.redraw();
  } else {
    ctx.say("commissaire.no_such_bib", { bib: ctx.ui.typed });
  }
  return true;
}

export function ridersTable(ctx) {
  const { t } = ctx;
  const result = part(ctx, "result");
  const lines = result?.results ?? [];
  if (lines.length === 0) return startersTable(ctx);
  const selected = selectedBib(ctx);
  const heading = (key, number) => h("th", { scope: "col", class: number ? "num" : null }, t(key));
  return h(
    "table",
    { class: "riders", key: "riders" },
    h("caption", { class: "visually-hidden" }, t("commissaire.riders_caption")),
    h(
      "thead",
      null,
      h(
        "tr",
        null,
        h("td", null),
        heading("finish.place_heading", true),
        heading("finish.bib", true),
        heading("finish.rider"),
        heading("finish.gap", true),
        heading("commissaire.ruling"),
        heading("finish.goes_to"),
      ),
    ),
    h("tbody", null, lines.map((line) => riderRow(ctx, line, result, line.bib === selected))),
  );
}

function riderRow(ctx, line, result, selected) {
  const { format } = ctx;
  const rulings = [line.status, "W".repeat(line.warnings)].filter(Boolean).join(" ");
  return h(
    "tr",
    rowAttributes(ctx, line.bib, selected),
    h("td", { class: "cursor", "aria-hidden": "true" }, selected ? "▸" : ""),
    h("td", { class: "num place" }, format.place(line.place, result.status !== "official")),
    h("td", { class: "num bib" }, line.bib),
    h("th", { scope: "row" }, nameOf(ctx, line.bib)),
    h("td", { class: "num" }, line.gap_ms === null ? "" : format.gap(line.gap_ms)),
    h("td", { class: "rulings" }, h("strong", null, rulings), h("span", { class: "soft" }, line.status ? ` ${line.reason}` : "")),
    h("td", null, result.marks?.[line.bib] ?? ""),
  );
}

/** Before anybody has a place the riders stand as drawn. */
function startersTable(ctx) {
  const { t } = ctx;
  const starters = part(ctx, "start")?.starters ?? [];
  if (starters.length === 0) return h("p", { class: "soft", key: "riders" }, t("finish.nobody_yet"));
  const selected = selectedBib(ctx);
  return h(
    "table",
    { class: "riders", key: "riders" },
    h("caption", { class: "visually-hidden" }, t("commissaire.riders_caption")),
    h(
      "tbody",
      null,
      starters.map((one) =>
        h(
          "tr",
          rowAttributes(ctx, one.bib, one.bib === selected),
          h("td", { class: "cursor", "aria-hidden": "true" }, one.bib === selected ? "▸" : ""),
          h("td", { class: "num bib" }, one.bib),
          h("th", { scope: "row" }, nameOf(ctx, one.bib)),
          h("td", null, one.status ?? ""),
        ),
      ),
    ),
  );
}

function rowAttributes(ctx, bib, selected) {
  const choose = () => {
    ctx.ui.selected = bib;
    ctx.redraw();
  };
  const marked = selected ? { class: "selected", "aria-current": "true" } : {};
  return { key: bib, "data-bib": bib, onclick: choose, ...marked };
}
