/** "Why is this rider here?": the core's answer for the rider under the cursor, sentence by sentence. */

import { h } from "../../dom.js";
import { nameOf, part } from "../ruling/heat.js";
import { said } from "../ruling/said.js";
import { selectedBib } from "./riders.js";

export function whyView(ctx) {
  const { t } = ctx;
  const bib = selectedBib(ctx);
  if (!ctx.ui.why || bib === null) return null;
  const sentences = part(ctx, "history")?.why?.[bib] ?? [];
  return h(
    "section",
    { class: "why", key: "why", "aria-live": "polite", "data-bib": bib },
    h("h2", null, t("why.title", { bib, name: nameOf(ctx, bib) })),
    sentences.length === 0
      ? h("p", { class: "soft" }, t("why.nothing"))
      : h("ol", null, sentences.map((one, index) => h("li", { key: index, "data-why": one.key }, said(ctx, "why", one)))),
  );
}
