/** The finish: both orders side by side, the judge's line, the image, and what the result is worth so far. */

import { h } from "../dom.js";
import { compareOrders, equalGaps, whatWouldChange } from "./finish/orders.js";
import { photoView, watchPhoto } from "./finish/photo.js";
import { askPlaces } from "./finish/placing.js";
import { alertCards } from "./ruling/alerts.js";
import { bibsOf, heatBindings, nameOf, part, shownHeat, statusLine } from "./ruling/heat.js";
import { keepTrue, pendingBindings, pendingView } from "./ruling/pending.js";
import { officialBindings, seenNow, send, undoBindings } from "./ruling/undo.js";

const JUDGES = ["operator", "judge", "commissaire", "president"];

export const screen = {
  id: "finish",
  title: "finish.title",
  roles: [...JUDGES, "starter", "secretary"],
  start: watchPhoto,
  view,
  side,
  bindings,
};

function bindings(ctx) {
  if (ctx.ui.pending) return pendingBindings(ctx);
  const result = part(ctx, "result");
  const judges = JUDGES.includes(ctx.role);
  return [
    {
      key: "p",
      id: "place",
      label: "finish.place",
      primary: true,
      enabled: judges && result !== undefined && result.status !== "official",
      run: () => askPlaces(ctx),
    },
    ...(judges ? [closeKey(ctx), ...undoBindings(ctx)] : []),
    ...officialBindings(ctx),
    ...heatBindings(ctx),
  ];
}

/** No more riders are awaited: somebody fell or gave up in the sprint. */
function closeKey(ctx) {
  const state = part(ctx, "result")?.state;
  const home = new Set((part(ctx, "finish")?.finish?.transponder ?? []).map((entry) => entry.bib));
  const awaited = bibsOf(ctx).filter((bib) => !home.has(bib));
  const seen = seenNow(ctx);
  return {
    key: "e",
    id: "close",
    label: "finish.close",
    danger: true,
    enabled: ["sprint", "bell"].includes(state),
    warn: () => ctx.t("finish.close_warn", { bibs: awaited.join(", ") || ctx.format.NOTHING }),
    run: () => send(ctx, { type: "close" }, { seen }),
  };
}

function view(ctx) {
  keepTrue(ctx);
  if (shownHeat(ctx) === null) return h("div", { class: "finish" }, statusLine(ctx));
  return h(
    "section",
    { class: "finish", tabindex: "0", "aria-label": ctx.t("finish.title") },
    statusLine(ctx),
    pendingView(ctx),
    h("div", { class: "finish-both", key: "both" }, ordersTable(ctx), photoView(ctx)),
  );
}

function ordersTable(ctx) {
  const { t } = ctx;
  const [finish, result] = [part(ctx, "finish"), part(ctx, "result")];
  const rows = compareOrders(finish, result);
  if (rows.length === 0) return h("p", { class: "soft", key: "orders" }, t("finish.nobody_yet"));
  const source = rows[0].line.source;
  const photo = (finish?.finish?.photo_finish ?? []).length > 0;
  return h(
    "div",
    { class: "finish-orders", key: "orders" },
    h(
      "table",
      { class: "finish-table" },
      h(
        "caption",
        null,
        t(`finish.order_from_${source}`),
        photo ? ` ${t("finish.gaps_of_photo")}` : "",
        finish?.finish?.last_200_ms ? ` ${t("finish.last_200", last200(ctx, finish.finish))}` : "",
      ),
      h("thead", null, headings(t)),
      h("tbody", null, rows.map((row) => orderRow(ctx, row, result))),
    ),
  );
}

function headings(t) {
  const column = (key, number) => h("th", { scope: "col", class: number ? "num" : null }, t(`finish.${key}`));
  return [
    h(
      "tr",
      { class: "finish-groups" },
      h("td", { colspan: "7" }),
      h("th", { scope: "colgroup", colspan: "1" }, t("finish.photo_finish")),
      h("th", { scope: "colgroup", colspan: "2" }, t("finish.transponder")),
      h("td", null),
    ),
    h(
      "tr",
      null,
      column("place_heading", true),
      column("bib", true),
      column("rider"),
      column("nation"),
      column("gap", true),
      column("to_next", true),
      column("goes_to"),
      column("place_heading", true),
      column("place_heading", true),
      column("gap", true),
      column("differs"),
    ),
  ];
}

function orderRow(ctx, row, result) {
  const { format, t } = ctx;
  const { line } = row;
  const provisional = result.status !== "official";
  // Without a place the code stands in the place's column.
  const code = line.place === null ? null : line.status;
  return h(
    "tr",
    { key: row.bib, class: row.differs ? "differs" : null, "data-bib": row.bib },
    h("td", { class: "num place" }, line.place === null ? (line.status ?? format.NOTHING) : format.place(line.place, provisional)),
    h("td", { class: "num bib" }, row.bib),
    h("th", { scope: "row" }, nameOf(ctx, row.bib), code === null ? null : h("span", { class: "code" }, code), warnings(ctx, line)),
    h("td", null, line.nation ?? ""),
    h("td", { class: "num" }, line.gap_ms === null ? "" : format.gap(line.gap_ms)),
    h("td", { class: "num soft" }, row.stepMs === null ? "" : format.gap(row.stepMs)),
    h("td", null, result.marks?.[row.bib] ?? ""),
    h("td", { class: "num" }, row.photoPlace ?? format.NOTHING),
    h("td", { class: "num" }, row.transponderPlace ?? format.NOTHING),
    h("td", { class: "num" }, row.transponderGapMs ? format.gap(row.transponderGapMs) : "", row.inferred ? ` ~${row.confidence} %` : ""),
    h("td", { class: "differs-sign" }, row.differs ? h("strong", null, "≠ ", t("finish.differs_word")) : ""),
  );
}

function warnings(ctx, line) {
  if (!line.warnings) return null;
  return h("span", { class: "code", title: ctx.t("finish.warnings", { n: line.warnings }) }, "W".repeat(line.warnings));
}

function last200(ctx, finish) {
  return { time: ctx.format.seconds(finish.last_200_ms), speed: ctx.format.speed(finish.last_200_kmh) };
}

function side(ctx) {
  const { t } = ctx;
  const result = part(ctx, "result");
  const finish = part(ctx, "finish");
  const disagreements = finish?.finish?.disagreements ?? [];
  const equal = equalGaps(result?.results ?? []);
  return [
    h("h2", { key: "head" }, t("finish.side")),
    h(
      "ul",
      { class: "cards", key: "cards" },
      disagreements.map((one) => disagreementCard(ctx, one)),
      otherOrderCard(ctx, disagreements.length > 0 ? whatWouldChange(finish, result) : []),
      equal.map((one) =>
        h(
          "li",
          { key: `equal-${one.ahead}-${one.behind}`, class: "card" },
          h("p", null, "= ", t("finish.equal_gaps", { ahead: one.ahead, behind: one.behind, gap: ctx.format.gap(one.gapMs) })),
        ),
      ),
      alertCards(ctx, ["photo_finish_differs"]),
      officialCard(ctx, result),
    ),
  ];
}

function disagreementCard(ctx, { ahead, behind, transponder_gap_ms: gapMs }) {
  const { format, t } = ctx;
  return h(
    "li",
    { key: `differs-${ahead}-${behind}`, class: "card amber", "data-disagreement": `${ahead}-${behind}` },
    h("p", null, h("strong", null, "≠ ", t("finish.photo_says", { ahead, behind }))),
    h("p", null, t("finish.transponders_say", { ahead: behind, behind: ahead, gap: format.seconds(Math.abs(gapMs)) })),
  );
}

/** The whole of the transponders' order against what stands, with who would go through. */
function otherOrderCard(ctx, changes) {
  const { t } = ctx;
  if (changes.length === 0) return null;
  const through = changes.some((one) => one.marks[0] !== one.marks[1]);
  return h(
    "li",
    { key: "other-order", class: "card", "data-card": "other-order" },
    h("p", null, t("finish.other_order")),
    h("ul", null, changes.map((one) => h("li", { key: one.bib, class: "would-be" }, whereTo(ctx, one)))),
    h("p", null, through ? h("strong", null, t("finish.others_through")) : t("finish.nobody_else_through")),
  );
}

function whereTo(ctx, { bib, places, marks }) {
  const { t } = ctx;
  const params = { bib, name: nameOf(ctx, bib), from: places[0], to: places[1] };
  if (marks[0] === marks[1]) return t("finish.would_be", params);
  return t("finish.would_be_marked", { ...params, was: marks[0] || t("finish.out"), will: marks[1] || t("finish.out") });
}

function officialCard(ctx, result) {
  const { t } = ctx;
  if (result === undefined || result.status !== "provisional") return null;
  const text = ctx.role === "president" ? t("finish.president_you") : t("finish.president_other");
  return h("li", { key: "official", class: "card" }, h("p", null, "◐ ", text), ctx.button("confirm"));
}
