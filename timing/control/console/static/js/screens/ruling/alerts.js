/** What needs a judge or a commissaire now, as cards for the right column, most urgent first. */

import { h } from "../../dom.js";
import { shownHeat } from "./heat.js";

const SIGNS = { red: "■", amber: "▲", info: "●" };

/** Alerts of the heat on this screen; those of the current heat say nothing about another one. */
export function alertsHere(ctx) {
  const current = ctx.store.get("current");
  return current?.heat === shownHeat(ctx) ? (current?.alerts ?? []) : [];
}

/** The cards, without those that the screen tells in its own way. */
export function alertCards(ctx, but = []) {
  const shown = alertsHere(ctx).filter((alert) => !but.includes(alert.key));
  return shown.map((alert, index) =>
    h(
      "li",
      { key: `${alert.key}-${index}`, class: `card ${alert.severity}`, "data-alert": alert.key },
      h("p", null, h("span", { class: "card-sign", "aria-hidden": "true" }, SIGNS[alert.severity]), " ", ctx.told("alerts", alert)),
    ),
  );
}
