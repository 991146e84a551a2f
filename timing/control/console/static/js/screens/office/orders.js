/**
 * Orders of the race office: sent with their competition and no heat, with a reason where the rules want one.
 *
 * What is confirmed is what the person saw: when the picture changed between the first key and Enter, nothing is sent.
 */

import { shownView } from "./picture.js";

/** Send an action of the competition shown. The promise is that of `ctx.send`. */
export function order(ctx, type, fields = {}) {
  return ctx.send({ type, competition: shownView(ctx).competition, ...fields }, { heat: null, seen: null });
}

/** Ask for a reason and send the order with it. A refusal stays in the line, with what was typed. */
export function withReason(ctx, { label, value = "", type, fields, ...danger }) {
  ctx.ask({
    label,
    value,
    hint: (text) => (text.trim() === "" ? { text: ctx.t("office.reason_needed") } : null),
    submit: async (text) => {
      if (text.trim() === "") return ctx.t("office.reason_needed");
      const reply = await order(ctx, type, { ...fields, reason: text.trim() });
      return reply.accepted ? null : reply.reason;
    },
    ...danger,
  });
}

/**
 * A binding that needs Enter as its second key and holds only for the picture that it was asked on.
 * `seen(view)` is what the order rests on; `act()` sends it.
 */
export function settled(ctx, { warn, seen, act, ...binding }) {
  const print = () => JSON.stringify(seen(shownView(ctx)));
  let asked = null;
  return {
    ...binding,
    danger: true,
    warn: () => {
      asked = print();
      return warn();
    },
    run: () => (asked === print() ? act() : ctx.say("office.moved_on", {}, "bad")),
  };
}

/** A seed by chance: 8 random bytes as hex, shown before it is used. */
export function newSeed() {
  return [...crypto.getRandomValues(new Uint8Array(8))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Ask for the seed of a lot, with one made by chance in the line, and draw. */
export function askSeed(ctx, purpose, label) {
  ctx.ask({
    label,
    value: newSeed(),
    hint: () => ({ text: ctx.t("office.seed_hint") }),
    submit: async (text) => {
      if (text.trim() === "") return ctx.t("office.seed_needed");
      const reply = await order(ctx, "draw", { purpose, seed: text.trim() });
      return reply.accepted ? null : reply.reason;
    },
  });
}
