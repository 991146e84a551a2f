/** What a command would do to the result, before it is sent: the answer of a preview as a table and in words. */

import { h } from "../../dom.js";
import { nameOf } from "./heat.js";
import { said } from "./said.js";

const FIRST = [/^(code|warnings)/, /^mark/, /^alert$/, /^(state|attempt|out|unplaced)/, /./];

/**
 * Rows of the table in the order of the result after the command: `{bib, before, after, moved, changed}`.
 *
 * `before` and `after` are `{place, status, mark, warnings}`, null where the rider was not listed; `moved` counts
 * places won (+) or lost (-), null where one of both has no place.
 */
export function effectRows(preview) {
  const before = sides(preview.results_before, preview.marks_before);
  const after = sides(preview.results_after, preview.marks_after);
  const bibs = [...new Set([...after.keys(), ...before.keys()])];
  return bibs.map((bib) => {
    const [was, will] = [before.get(bib) ?? null, after.get(bib) ?? null];
    const bothPlaced = was !== null && will !== null && was.place !== null && will.place !== null;
    return {
      bib,
      before: was,
      after: will,
      moved: bothPlaced ? was.place - will.place : null,
      changed: JSON.stringify(plain(was)) !== JSON.stringify(plain(will)),
    };
  });
}

/** The table and the sentences. `preview` is the one of a command's reply. */
export function effectView(ctx, preview) {
  const { t } = ctx;
  const rows = effectRows(preview);
  const changes = preview.changes ?? [];
  return h(
    "div",
    { class: "effect" },
    h(
      "ul",
      { class: "effect-words", "data-testid": "effect-words" },
      byWeight(changes).map((one, index) => h("li", { key: index, "data-change": one.key }, said(ctx, "change", one))),
    ),
    h(
      "table",
      { class: "effect-table" },
      h("caption", { class: "visually-hidden" }, t("commissaire.effect_caption")),
      h(
        "thead",
        null,
        h(
          "tr",
          null,
          h("th", { scope: "col", class: "num" }, t("commissaire.effect_before")),
          h("th", { scope: "col", class: "num" }, t("commissaire.effect_after")),
          h("th", { scope: "col", class: "num" }, t("finish.bib")),
          h("th", { scope: "col" }, t("finish.rider")),
          h("th", { scope: "col" }, t("commissaire.effect_mark")),
        ),
      ),
      h("tbody", null, rows.map((row) => effectRow(ctx, row))),
    ),
  );
}

/** What is said first: the code given, then who goes through, then what a person must see to, then places and gaps. */
function byWeight(changes) {
  const weight = ({ key }) => FIRST.findIndex((pattern) => pattern.test(key));
  return [...changes].sort((a, b) => weight(a) - weight(b));
}

function effectRow(ctx, row) {
  const { t } = ctx;
  const arrow = row.moved === null || row.moved === 0 ? "" : row.moved > 0 ? "▲" : "▼";
  return h(
    "tr",
    { key: row.bib, class: row.changed ? "effect-changed" : null, "data-bib": row.bib },
    h("td", { class: "num" }, sideText(row.before)),
    h(
      "td",
      { class: "num" },
      h("span", { class: "effect-arrow", "aria-hidden": "true" }, arrow),
      row.changed ? h("strong", null, sideText(row.after)) : sideText(row.after),
    ),
    h("td", { class: "num" }, row.bib),
    h("td", null, nameOf(ctx, row.bib)),
    h("td", null, markChange(t, row)),
  );
}

function sideText(side) {
  if (side === null) return "–";
  const parts = [side.place === null ? "" : String(side.place), side.status ?? "", "W".repeat(side.warnings)];
  return parts.filter((part) => part !== "").join(" ") || "–";
}

function markChange(t, row) {
  const [was, will] = [row.before?.mark ?? "", row.after?.mark ?? ""];
  if (was === will) return was;
  return h("strong", null, `${was || t("commissaire.effect_out")} → ${will || t("commissaire.effect_out")}`);
}

function sides(lines, marks) {
  return new Map(
    (lines ?? []).map((line) => [
      line.bib,
      { place: line.place, status: line.status, mark: marks?.[line.bib] ?? "", warnings: line.warnings },
    ]),
  );
}

function plain(side) {
  return side && [side.place, side.status, side.mark, side.warnings];
}
