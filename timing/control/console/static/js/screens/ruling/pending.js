/**
 * An order that waits for Enter with its effect beside it.
 *
 * `ui.pending` is `{action, title, preview, refused, seen, busy}`. When somebody else changes the heat meanwhile the
 * effect is worked out anew and the screen says so: nobody confirms what is no longer true.
 */

import { h } from "../../dom.js";
import { effectView } from "./effect.js";
import { shownHeat } from "./heat.js";
import { seenNow, send } from "./undo.js";

/** Ask for the effect of an action and show it, or why it would be refused. */
export async function propose(ctx, action, title) {
  const seen = seenNow(ctx);
  const pending = { action, title, preview: null, refused: "", seen, busy: true, renewed: false };
  ctx.ui.pending = pending;
  ctx.redraw();
  await lookUp(ctx, pending);
}

async function lookUp(ctx, pending) {
  pending.busy = true;
  const reply = await ctx.preview(pending.action, { heat: shownHeat(ctx) });
  pending.busy = false;
  pending.preview = reply.preview ?? null;
  pending.refused = reply.preview ? "" : reply.reason;
  ctx.redraw();
}

/** Called at each render: an effect that was worked out on an older history is worked out again. */
export function keepTrue(ctx) {
  const pending = ctx.ui.pending;
  const row = seenNow(ctx);
  if (!pending || pending.busy || row === null || row === pending.seen) return;
  pending.seen = row;
  pending.renewed = true;
  lookUp(ctx, pending);
}

/** Enter and Escape while an order waits. `done` is called when it was taken or left. */
export function pendingBindings(ctx, done = () => {}) {
  const pending = ctx.ui.pending;
  return [
    {
      key: "Enter",
      id: "send",
      label: "commissaire.send",
      primary: true,
      enabled: !pending.busy && pending.preview !== null,
      run: async () => {
        pending.busy = true;
        const reply = await send(ctx, pending.action, { seen: pending.seen });
        pending.busy = false;
        if (reply.accepted) {
          if (ctx.ui.pending === pending) ctx.ui.pending = null;
          done();
        } else {
          pending.refused = reply.reason;
        }
        ctx.redraw();
      },
    },
    {
      key: "Escape",
      id: "cancel",
      label: "commissaire.cancel",
      run: () => {
        ctx.ui.pending = null;
        done();
      },
    },
  ];
}

/** The order in words, its effect, and what Enter does. */
export function pendingView(ctx) {
  const { t } = ctx;
  const pending = ctx.ui.pending;
  if (!pending) return null;
  return h(
    "section",
    { class: "pending", key: "pending", "aria-live": "polite" },
    h("h2", null, t("commissaire.not_sent"), " ", h("span", { class: "pending-title" }, pending.title)),
    pending.renewed ? h("p", { class: "pending-renewed" }, "⚠ ", t("commissaire.effect_renewed")) : null,
    pending.refused ? h("p", { class: "pending-refused", role: "alert" }, "✕ ", pending.refused) : null,
    pending.preview ? effectView(ctx, pending.preview) : null,
    pending.busy ? h("p", { class: "soft" }, t("commissaire.working_out")) : null,
  );
}
