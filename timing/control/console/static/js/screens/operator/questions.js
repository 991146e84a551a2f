/**
 * The questions of the operator's input line: what is asked, how the line reads so far, and the order made of it.
 */

import { heatTitle } from "../../frame.js";
import { seenNow } from "../../send.js";
import { nextHeat } from "./model.js";
import { readExclusions, readHeat, readLaps, readManual, readMishap, readReason, readSwap } from "./lines.js";
import { chosen } from "./selection.js";

const SHOWN_MS = 1000;

/** Everything that a question needs to know. `now` is when the key was pressed, not when the line was finished. */
function scene(ctx) {
  const { store } = ctx;
  const meet = store.get("meet");
  const now = store.coreNow();
  const tz = meet?.timezone ?? "UTC";
  const [hours, minutes, seconds] = now === null ? [0, 0, 0] : ctx.format.clock(now, tz).split(":").map(Number);
  return {
    now,
    tz,
    dayUs: (hours * 3600 + minutes * 60 + seconds) * 1_000_000 + (now === null ? 0 : now % 1_000_000),
    startUs: store.current()?.start_us ?? null,
    starters: store.heat("start")?.starters ?? [],
    loops: meet?.loops ?? {},
    heats: (meet?.heats ?? []).map((one) => ({ heat: one.heat, name: heatTitle(ctx, one) })),
    codes: ["W", ...(meet?.codes ?? []).map((one) => one.code)],
  };
}

/**
 * A question whose line is read by `read(text)` and sent as what `order` makes of it.
 *
 * The answer rests on what was on the screen when the line was opened. Who is refused because of what others did
 * since is told so, and may press Enter again on that.
 */
function question(ctx, label, read, order, more = {}) {
  const { told, ...rest } = more;
  let seen = seenNow(ctx);
  ctx.ask({
    label: ctx.t(label, more.params),
    hint(value) {
      const found = read(value);
      if (found.wrong)
        return { text: ctx.t(found.wrong, found.params), bad: value.trim() !== "" && !found.wrong.includes(".how_") };
      return told ? { text: told(found) } : null;
    },
    async submit(value) {
      const found = read(value);
      if (found.wrong) return ctx.t(found.wrong, found.params);
      const action = order(found);
      // A heat that is opened has a history of its own.
      const reply = await ctx.send(action, action.type === "open_heat" ? {} : { seen });
      // The next key is meant for the heat that was opened: it is taken when that one is on the screen.
      if (reply.accepted && action.type === "open_heat") await shown(ctx, action.heat);
      seen = seenNow(ctx);
      return reply.accepted ? null : reply.reason;
    },
    ...rest,
  });
}

/** Until this heat is the one on the screen; not for ever, since the stream may be lost. */
function shown(ctx, heat) {
  return new Promise((done) => {
    const look = () => {
      if (ctx.store.current()?.heat === heat) finish();
    };
    const leave = ctx.store.onChange(look);
    const timer = setTimeout(() => finish(), SHOWN_MS);
    const finish = () => {
      leave();
      clearTimeout(timer);
      done();
    };
    look();
  });
}

function named(ctx, bib) {
  const rider = (ctx.store.heat("start")?.starters ?? []).find((one) => one.bib === bib);
  return `${bib} ${ctx.format.name(rider)}`;
}

export function askOpen(ctx) {
  const { heats } = scene(ctx);
  const selected = ctx.ui.list === "programme" ? chosen(ctx, "programme") : null;
  const next = selected ?? nextHeat(ctx.store.get("meet"), ctx.store.get("competition"), ctx.store.current()?.heat);
  question(
    ctx,
    "operator.ask_open",
    (text) => readHeat(text, heats),
    (found) => ({ type: "open_heat", heat: found.heat }),
    {
      value: next?.heat ?? "",
      told: (found) => ctx.t("operator.opens", { name: found.name }),
    },
  );
}

export function askManual(ctx) {
  const known = scene(ctx);
  const missed = chosen(ctx, "missed");
  question(
    ctx,
    "operator.ask_manual",
    (text) => readManual(text, known),
    (found) => ({ type: "manual_passing", ...found }),
    {
      params: { time: ctx.format.clock(known.now, known.tz, 3) },
      value: missed && ctx.ui.list === "missed" ? `${missed.bib} ${missed.crossing.loop} ` : "",
      told: (found) =>
        ctx.t("operator.reads_manual", {
          who: named(ctx, found.bib),
          loop: found.loop,
          time: ctx.format.clock(found.at_us, known.tz, 3),
          race: known.startUs === null ? "–" : ctx.format.raceClock(found.at_us - known.startUs),
        }),
    },
  );
}

export function askSwap(ctx) {
  const known = scene(ctx);
  question(
    ctx,
    "operator.ask_swap",
    (text) => readSwap(text, known),
    (found) => ({ type: "swap_transponder", ...found }),
    {
      told: (found) => ctx.t("operator.reads_swap", { who: named(ctx, found.bib), transponder: found.transponder }),
    },
  );
}

export function askLaps(ctx) {
  const now = ctx.store.current()?.laps_to_go;
  question(ctx, "operator.ask_laps", readLaps, (found) => ({ type: "lap_counter", ...found }), {
    value: now === undefined ? "" : ctx.format.laps(Math.round(now)),
    told: (found) => ctx.t("operator.reads_laps", { n: found.laps_to_go, laps: found.laps_to_go }),
  });
}

export function askMishap(ctx) {
  const known = scene(ctx);
  question(
    ctx,
    "operator.ask_mishap",
    (text) => readMishap(text, known),
    (found) => ({ type: "mishap", ...found }),
    {
      told: (found) => `${named(ctx, found.bib)}: ${found.what}`,
    },
  );
}

export function askStop(ctx) {
  question(ctx, "operator.ask_stop", readReason, (found) => ({ type: "stop", ...found }), {
    danger: true,
    warn: (value) => ctx.t("operator.warn_stop", { reason: value.trim() }),
  });
}

export function askRestart(ctx) {
  const known = scene(ctx);
  const read = (text) => readExclusions(text, known);
  const listed = (found) => found.excluded.map((one) => `${named(ctx, one.bib)} ${one.code}`).join(", ");
  const words = (found) =>
    found.excluded.length ? ctx.t("operator.restart_without", { out: listed(found) }) : ctx.t("operator.restart_all");
  question(ctx, "operator.ask_restart", read, (found) => ({ type: "restart", excluded: found.excluded, reason: "" }), {
    told: words,
    danger: true,
    warn: (value) => words(read(value)),
  });
}

export function askSetAside(ctx, passing) {
  question(
    ctx,
    "operator.ask_set_aside",
    readReason,
    (found) => ({ type: "set_aside", read: passing.read, ...found }),
    {
      params: { who: passing.bib ?? passing.transponder, loop: passing.loop ?? "–" },
    },
  );
}
