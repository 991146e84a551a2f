/** Undo, redo, official and reopen: the keys that the finish and the commissaires' screen share. */

import { seenNow as seenOf } from "../../send.js";
import { nameOf, part, shownHeat, timeOfDay } from "./heat.js";
import { entryText } from "./said.js";
import { meantBy, redoTarget, standing, undoTarget } from "./undoing.js";

/** `u` takes back the newest placing or decision, Shift+U brings back what was taken back last; or each `chosen`. */
export function undoBindings(ctx, chosen = null) {
  const entries = part(ctx, "history")?.entries ?? [];
  // What the person saw with the first key, not what came before the second one.
  const seen = seenNow(ctx);
  const back = chosen ?? undoTarget(entries);
  const undoneBy = entries.find((one) => one.id === chosen?.undone_by);
  const again = undoneBy ?? redoTarget(entries);
  return [
    {
      key: "u",
      id: "undo",
      label: "history.undo_key",
      danger: true,
      enabled: may(ctx, back),
      warn: () => ctx.t("history.undo_warn", warned(ctx, back)),
      run: () => send(ctx, { type: "undo", command: back.id }, { seen }),
    },
    {
      key: "Shift+U",
      id: "redo",
      label: "history.redo_key",
      danger: true,
      enabled: may(ctx, again),
      warn: () => ctx.t("history.redo_warn", warned(ctx, meantBy(entries, again) ?? again)),
      run: () => send(ctx, { type: "undo", command: again.id }, { seen }),
    },
  ];
}

/** Official and back: for the president alone. */
export function officialBindings(ctx) {
  const result = part(ctx, "result");
  const official = result?.status === "official";
  const seen = seenNow(ctx);
  if (ctx.role !== "president") return [];
  return [
    {
      key: "c",
      id: "confirm",
      label: "commissaire.confirm",
      danger: true,
      enabled: result?.status === "provisional" || result?.state === "finished",
      warn: () => {
        const key = judged(result) ? "commissaire.confirm_warn" : "commissaire.confirm_warn_unjudged";
        return ctx.t(key, { order: orderWords(ctx, result) });
      },
      run: () => send(ctx, { type: "confirm" }, { seen }),
    },
    { key: "o", id: "reopen", label: "commissaire.reopen", enabled: official, run: () => askReopen(ctx) },
  ];
}

/** Send an order of this screen's heat, against the history that is on the screen (or that was: `seen`). */
export async function send(ctx, action, { seen = seenNow(ctx) } = {}) {
  const reply = await ctx.send(action, { heat: shownHeat(ctx), seen });
  ctx.redraw();
  return reply;
}

function askReopen(ctx) {
  const { t } = ctx;
  const seen = seenNow(ctx);
  ctx.ask({
    label: t("commissaire.reopen_reason"),
    danger: true,
    hint: (value) => (value.trim() === "" ? { text: t("commissaire.reason_needed"), bad: true } : null),
    warn: (value) => t("commissaire.reopen_warn", { reason: value.trim() }),
    submit: async (value) => refusal(await send(ctx, { type: "reopen", reason: value.trim() }, { seen })),
  });
}

/** The newest row of the heat's history on this screen. */
export function seenNow(ctx) {
  return seenOf(ctx, shownHeat(ctx));
}

/** What the input line says of a refused order; nothing when it was taken. */
export function refusal(reply) {
  return reply.accepted ? undefined : reply.reason;
}

function may(ctx, entry) {
  return entry !== null && standing(entry) && entry.undo_roles.includes(ctx.role);
}

function warned(ctx, entry) {
  return { what: entryText(ctx, entry, part(ctx, "history")?.entries ?? []), actor: entry.actor, time: timeOfDay(ctx, entry.at_us) };
}

/** Whether a person placed the riders, at the line or on the picture. */
function judged(result) {
  return ["judge", "photo_finish"].includes(result.results[0]?.source);
}

function orderWords(ctx, result) {
  const lines = result?.results ?? [];
  const order = lines.map((line) => {
    const name = nameOf(ctx, line.bib);
    const code = line.status ? ` ${line.status}` : "";
    return line.place === null ? `${name}${code || ` ${ctx.t("finish.without_place")}`}` : `${line.place}. ${name}${code}`;
  });
  return order.join(" · ");
}
