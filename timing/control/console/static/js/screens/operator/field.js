/** The field as a table, in its present order, with the pacer above it while it rides. */

import { h } from "../../dom.js";
import { fieldRows } from "./model.js";

export function fieldTable(ctx) {
  const { store, t } = ctx;
  const current = store.current();
  const inputs = [
    current?.state,
    current?.status,
    ...["start", "splits", "order", "result", "pace"].map((part) => store.heat(part)),
  ];
  return ctx.memo("field", inputs, () => {
    const rows = fieldRows({
      state: current?.state,
      start: store.heat("start"),
      splits: store.heat("splits"),
      order: store.heat("order"),
      result: store.heat("result"),
    });
    return h(
      "section",
      { class: "panel field", key: "field", "aria-label": t("operator.field") },
      rows.length ? table(ctx, rows, current) : h("p", { class: "empty" }, t("operator.no_field")),
    );
  });
}

function table(ctx, rows, current) {
  const { t } = ctx;
  const columns = [
    ["", "col-order"],
    [t("operator.bib"), "col-bib"],
    [t("operator.rider"), "col-name"],
    [t("operator.lap"), "col-lap num"],
    [t("operator.half_lap"), "col-time num"],
    [t("operator.lap_time"), "col-time num"],
    [t("operator.speed"), "col-speed num"],
    [t("operator.gap"), "col-time num"],
  ];
  return h(
    "table",
    null,
    h(
      "thead",
      null,
      h(
        "tr",
        null,
        columns.map(([label, kind], i) =>
          h(
            "th",
            { class: kind, scope: "col", key: i },
            label || h("span", { class: "visually-hidden" }, t("operator.order")),
          ),
        ),
      ),
    ),
    h(
      "tbody",
      null,
      pacerRow(ctx, current),
      rows.map((one) => riderRow(ctx, one, current)),
    ),
  );
}

function pacerRow(ctx, current) {
  const pace = ctx.store.heat("pace")?.pace;
  if (!pace || !["pacer_run", "started", "first_lap", "paced", "pacer_exit"].includes(current?.state)) return null;
  const last = pace.sections.at(-1);
  return h(
    "tr",
    { key: "pacer", class: "pacer" },
    h("td", { class: "col-order" }, "◆"),
    h("td", { class: "col-bib" }, ""),
    h("th", { class: "col-name", scope: "row" }, ctx.t("operator.pacer")),
    h("td", { class: "num" }, ""),
    h(
      "td",
      { class: "num", colspan: "2" },
      last ? ctx.t("operator.pace_target", { speed: ctx.format.speed(last.target_kmh) }) : "",
    ),
    h("td", { class: "num" }, ctx.format.speed(last?.speed_kmh)),
    h("td", { class: "num" }, pace.predicted_exit_kmh === null ? "" : `→ ${ctx.format.speed(pace.predicted_exit_kmh)}`),
  );
}

function riderRow(ctx, one, current) {
  const { format, t } = ctx;
  const ranked = ["finished", "provisional", "official"].includes(current?.state);
  const provisional = current?.status !== "official";
  const shown = ranked ? format.place(one.place, provisional) : String(one.order);
  const kind = `${one.status ? "out" : ""} ${one.inferred ? "inferred" : ""}`.trim();
  const tilde = one.inferred
    ? h("span", { class: "sure", title: t("operator.confidence", { percent: one.confidence }) }, "≈ ")
    : null;
  return h(
    "tr",
    { key: one.bib, class: kind || null },
    h("td", { class: "col-order num" }, shown),
    h("td", { class: "col-bib num" }, one.bib),
    h(
      "th",
      { class: "col-name", scope: "row" },
      format.name(one.rider),
      " ",
      h("span", { class: "nation" }, one.rider.nation ?? ""),
      one.status ? h("span", { class: "chip" }, one.status) : null,
      one.warnings ? h("span", { class: "chip amber" }, "▲ W") : null,
    ),
    h("td", { class: "col-lap num" }, one.lap || ""),
    h("td", { class: "col-time num" }, format.seconds(one.halfLapMs)),
    h("td", { class: "col-time num" }, format.seconds(one.lapMs)),
    h("td", { class: "col-speed num" }, format.speed(one.kmh)),
    h(
      "td",
      { class: "col-time num" },
      tilde,
      one.gapMs === 0 || (ranked && one.gapMs === null) ? "" : format.gap(one.gapMs),
    ),
  );
}
