/** The entries: who is seeded where, who is withdrawn and why; withdrawing, and the lot among the unranked. */

import { h } from "../../dom.js";
import { arrows, chosen, row } from "./moving.js";
import { askSeed, withReason } from "./orders.js";
import { called, nameView } from "./picture.js";
import { openFile, uploadView } from "./upload.js";

const LIST = "entries";

const bibs = (view) => view.entries.map((one) => one.entry.bib);

export function entriesBindings(ctx, view) {
  const bib = chosen(ctx, LIST, bibs(view));
  const entry = view.entries.find((one) => one.entry.bib === bib);
  const out = (entry?.withdrawn ?? null) !== null;
  const order = out ? "reinstate" : "withdraw";
  const started = view.rounds.length > 0 && !["open", "composed"].includes(view.rounds[0].state);
  return [
    {
      key: "u",
      id: "upload",
      label: "office.upload",
      enabled: ctx.may("take_entries") && !started,
      run: openFile,
    },
    {
      key: "w",
      id: "withdraw",
      label: `office.${order}`,
      enabled: ctx.may(order) && entry !== undefined,
      run: () =>
        withReason(ctx, {
          label: ctx.t(`office.${order}_why`, { rider: called(ctx, view, bib) }),
          type: order,
          fields: { bib },
          danger: true,
          warn: (reason) => ctx.t(`office.${order}_warn`, { rider: called(ctx, view, bib), reason: reason.trim() }),
        }),
    },
    unrankedBinding(ctx, view),
    ...arrows(ctx, LIST, bibs(view)),
  ];
}

export function unrankedBinding(ctx, view) {
  const drawn = view.draws.some((one) => one.purpose === "unranked");
  const needed = view.entries.some((one) => one.seed === null && one.withdrawn === null);
  const first = view.rounds[0]?.state ?? "open";
  return {
    key: "d",
    id: "draw-unranked",
    label: "office.draw_unranked",
    enabled: ctx.may("draw") && needed && !drawn && ["open", "composed"].includes(first),
    run: () => askSeed(ctx, "unranked", ctx.t("office.seed_unranked")),
  };
}

export function entriesView(ctx, view) {
  const { t } = ctx;
  if (ctx.ui.upload) return uploadView(ctx, view);
  if (view.entries.length === 0) {
    return h("p", { class: "empty", key: "none" }, t("office.no_entries"), " ", ctx.button("upload"));
  }
  const here = chosen(ctx, LIST, bibs(view));
  const heading = (key, number) => h("th", { scope: "col", class: number ? "num" : null }, t(key));
  const withdrawn = view.entries.filter((one) => one.withdrawn !== null).length;
  const lot = view.draws.find((one) => one.purpose === "unranked");
  return [
    h(
      "p",
      { class: "office-line", key: "line" },
      t("office.entered", { n: view.entries.length }),
      withdrawn > 0 ? ` · ${t("office.withdrawn_count", { n: withdrawn })}` : "",
      lot ? [" · ", t("office.lot_seed"), " ", h("code", { "data-seed": "unranked" }, lot.seed)] : null,
    ),
    h(
      "div",
      { class: "scroll office-scroll", key: "entries", tabindex: "0", role: "region", "aria-label": t("office.panel_entries") },
      h(
        "table",
        { class: "office-table entries" },
        h(
          "thead",
          null,
          h(
            "tr",
            null,
            h("td", null),
            heading("office.seed", true),
            heading("office.bib", true),
            heading("office.rider"),
            heading("office.nation"),
            heading("office.ranking", true),
            heading("office.transponders"),
            heading("office.note"),
          ),
        ),
        h("tbody", null, view.entries.map((one) => entryRow(ctx, one, one.entry.bib === here))),
      ),
    ),
  ];
}

function entryRow(ctx, one, here) {
  const { entry } = one;
  return h(
    "tr",
    row(ctx, LIST, entry.bib, here),
    h("td", { class: "sign", "aria-hidden": "true" }, here ? "▸" : ""),
    h("td", { class: "num" }, one.seed ?? "–"),
    h("td", { class: "num bib" }, entry.bib),
    h("th", { scope: "row" }, one.withdrawn === null ? nameView(ctx, entry) : h("s", null, ctx.format.name(entry))),
    h("td", null, entry.nation ?? ""),
    h("td", { class: "num" }, entry.ranking ?? ctx.t("office.unranked")),
    h("td", { class: "soft transponders" }, entry.transponders.join(" ")),
    h("td", { class: "wide" }, one.withdrawn === null ? "" : `✕ ${ctx.t("office.withdrawn", { reason: one.withdrawn })}`),
  );
}
