/** The race office: programme, entries, composition, advancement, classification, communiqués, by the keyboard. */

import { h } from "../dom.js";
import { advancementBindings, advancementView } from "./office/advancement.js";
import { classificationView } from "./office/classification.js";
import { communiquesBindings, communiquesView } from "./office/communiques.js";
import { compositionBindings, compositionView } from "./office/composition.js";
import { entriesBindings, entriesView } from "./office/entries.js";
import { panelBindings, show } from "./office/moving.js";
import { nextBinding, nextLine } from "./office/next.js";
import { PANELS, competitions, shownView } from "./office/picture.js";
import { programmeView } from "./office/programme.js";
import { needsYou } from "./office/side.js";
import { fileField, uploadBindings } from "./office/upload.js";

const VIEWS = {
  programme: programmeView,
  entries: entriesView,
  round: compositionView,
  advance: advancementView,
  classification: classificationView,
  communiques: communiquesView,
};

const BINDINGS = {
  programme: () => [],
  entries: entriesBindings,
  round: compositionBindings,
  advance: advancementBindings,
  classification: () => [],
  communiques: communiquesBindings,
};

export const screen = {
  id: "office",
  title: "office.title",
  roles: ["secretary", "commissaire", "president"],
  start: (ctx) => {
    ctx.ui.panel = PANELS[0];
  },
  view,
  side: (ctx) => (shownView(ctx) === null ? null : needsYou(ctx, shownView(ctx))),
  bindings,
};

function bindings(ctx) {
  const view = shownView(ctx);
  if (view === null) return [];
  if (ctx.ui.upload && ctx.ui.panel === "entries") return [...uploadBindings(ctx, view), ...panelBindings(ctx)];
  return [nextBinding(ctx, view), ...BINDINGS[ctx.ui.panel](ctx, view), ...otherCompetition(ctx), ...panelBindings(ctx)].filter(Boolean);
}

/** A meet with several competitions: one key goes round them. */
function otherCompetition(ctx) {
  const all = competitions(ctx);
  if (all.length < 2) return [];
  const run = () => {
    const next = all[(all.indexOf(shownView(ctx)) + 1) % all.length];
    Object.assign(ctx.ui, { competition: next.competition, round: null, first: null, upload: null, cursor: {} });
  };
  return [{ key: "c", id: "competition", label: "office.other_competition", run }];
}

function view(ctx) {
  const { t } = ctx;
  const shown = shownView(ctx);
  if (shown === null) return h("p", { class: "empty", key: "none" }, t("office.no_competition"));
  return h(
    "div",
    { class: "office", key: "office" },
    nextLine(ctx, shown),
    h(
      "p",
      { class: "office-what", key: "what" },
      h("strong", null, shown.name),
      ` · ${t("office.format", { format: shown.format ?? t("office.format_open") })}`,
    ),
    tabs(ctx),
    h("div", { class: `office-panel panel-${ctx.ui.panel}`, key: ctx.ui.panel }, VIEWS[ctx.ui.panel](ctx, shown)),
    fileField(ctx),
  );
}

function tabs(ctx) {
  return h(
    "div",
    { class: "tabs", key: "tabs" },
    PANELS.map((panel, index) =>
      h(
        "button",
        {
          key: panel,
          type: "button",
          "data-panel": panel,
          "aria-pressed": String(panel === ctx.ui.panel),
          onclick: () => (panel === ctx.ui.panel ? null : show(ctx, panel)),
        },
        h("kbd", null, index + 1),
        " ",
        ctx.t(`office.panel_${panel}`),
      ),
    ),
  );
}
