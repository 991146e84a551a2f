/** Everything that was ordered in the heat, signed by name and time; what was taken back is struck through. */

import { h } from "../../dom.js";
import { part, timeOfDay } from "../ruling/heat.js";
import { entryText } from "../ruling/said.js";

/** Move the cursor of the history: 0 begins at the newest, null leaves it. */
export function stepEntry(ctx, by) {
  const entries = newestFirst(ctx);
  if (by === null || entries.length === 0) {
    ctx.ui.entry = null;
    return;
  }
  const at = entries.findIndex((one) => one.id === ctx.ui.entry);
  const next = at < 0 ? 0 : Math.min(entries.length - 1, Math.max(0, at + by));
  ctx.ui.entry = entries[next].id;
  requestAnimationFrame(() => document.querySelector(".history .selected")?.scrollIntoView({ block: "nearest" }));
}

export function historyView(ctx) {
  const { t } = ctx;
  const entries = newestFirst(ctx);
  return h(
    "section",
    { class: "history", key: "history", tabindex: "0", "aria-label": t("history.title") },
    h("h2", null, t("history.title")),
    entries.length === 0 ? h("p", { class: "soft" }, t("history.empty")) : h("ol", null, entries.map((one) => entryRow(ctx, one, entries))),
  );
}

function newestFirst(ctx) {
  return [...(part(ctx, "history")?.entries ?? [])].sort((a, b) => b.row - a.row);
}

function entryRow(ctx, entry, entries) {
  const { t } = ctx;
  const undone = entry.undone_by !== null;
  const selected = entry.id === ctx.ui.entry;
  const kind = [undone ? "undone" : "", entry.accepted ? "" : "refused", selected ? "selected" : ""].filter(Boolean).join(" ");
  const words = entryText(ctx, entry, entries);
  return h(
    "li",
    { key: entry.row, class: kind || null, "data-command": entry.id, "aria-current": selected ? "true" : null },
    h("span", { class: "num history-time" }, timeOfDay(ctx, entry.at_us)),
    h(
      "span",
      { class: "history-what" },
      selected ? "▸ " : "",
      undone ? h("s", null, words) : words,
      label(ctx, entry, entries),
    ),
    h("span", { class: "history-who" }, `${entry.actor} · ${t(`common.role_${entry.role}`)}`),
  );
}

/** What became of it, in words: struck through alone would be seen by nobody who listens. */
function label(ctx, entry, entries) {
  const { t } = ctx;
  if (!entry.accepted) return h("span", { class: "history-label" }, " ✕ ", t("history.refused", { reason: entry.reason }));
  if (entry.undone_by === null) return null;
  const by = entries.find((one) => one.id === entry.undone_by);
  const text = by === undefined ? t("history.undone") : t("history.undone_by", { actor: by.actor, time: timeOfDay(ctx, by.at_us) });
  return h("span", { class: "history-label" }, " ↶ ", text);
}
