/** The classification as it stands: ranks in brackets while something that is still ridden can change them. */

import { h } from "../../dom.js";
import { entryOf, heatName, nameView, roundName } from "./picture.js";

export function classificationView(ctx, view) {
  const { t } = ctx;
  const heading = (key, number) => h("th", { scope: "col", class: number ? "num" : null }, t(key));
  return [
    h(
      "p",
      { class: "office-line", key: "line", "data-final": view.final },
      h("span", { class: `chip ${view.final ? "" : "amber"}` }, view.final ? `✔ ${t("office.final")}` : `◐ ${t("office.not_final")}`),
      " ",
      view.final ? "" : h("span", { class: "soft" }, t("office.brackets")),
    ),
    view.classification.length === 0
      ? h("p", { class: "empty", key: "empty" }, t("office.nobody_classified"))
      : h(
          "div",
          { class: "scroll office-scroll", key: "ranks", tabindex: "0", role: "region", "aria-label": t("office.panel_classification") },
          h(
            "table",
            { class: "office-table classification" },
            h(
              "thead",
              null,
              h(
                "tr",
                null,
                heading("office.rank", true),
                heading("office.bib", true),
                heading("office.rider"),
                heading("office.nation"),
                heading("office.round"),
                heading("office.heat"),
                heading("office.place", true),
                heading("office.note"),
              ),
            ),
            h("tbody", null, view.classification.map((line) => lineRow(ctx, view, line))),
          ),
        ),
  ];
}

function lineRow(ctx, view, line) {
  const entry = entryOf(view, line.bib);
  const round = view.rounds.find((one) => one.heats.some((heat) => heat.heat === line.heat));
  const heat = round?.heats.find((one) => one.heat === line.heat);
  return h(
    "tr",
    { key: line.bib, "data-bib": line.bib },
    h("td", { class: "num place" }, line.rank === null ? "" : ctx.format.place(line.rank, !line.settled)),
    h("td", { class: "num bib" }, line.bib),
    h("th", { scope: "row" }, nameView(ctx, entry)),
    h("td", null, entry.nation ?? ""),
    h("td", null, roundName(view, line.round)),
    h("td", null, heat ? heatName(round, heat) : ""),
    h("td", { class: "num" }, line.place ?? ""),
    h("td", { class: "wide" }, line.status ?? ""),
  );
}
