/** What may be said aloud: the order at the newest loops, the result with its status, who goes through, what comes next. */

const RACE = new Set(["started", "first_lap", "paced", "pacer_exit", "sprint", "bell"]);
const BEFORE = new Set(["drawn", "on_line", "pacer_run"]);
const PACED = new Set(["pacer_run", "started", "first_lap", "paced", "pacer_exit"]);

/** What a board shows in a state: "none", "start", "race", "stopped" or "result". */
export function phaseOf(state) {
  if (BEFORE.has(state)) return "start";
  if (RACE.has(state)) return "race";
  if (state === "stopped") return "stopped";
  return ["finished", "provisional", "official"].includes(state) ? "result" : "none";
}

export function isPaced(state) {
  return PACED.has(state);
}

/**
 * Every rider at the newest loop where he was read, the foremost first: {bib, place, gap_ms, mark, newest, inferred}.
 * `newest` is false for one who has not come to the newest loop yet: his gap is that of the loop before.
 */
export function liveOrder(orders, starters) {
  const found = new Map();
  for (const order of [...orders].reverse()) {
    for (const entry of order.entries) if (!found.has(entry.bib)) found.set(entry.bib, { ...entry, mark: order.mark, loop: order.loop });
  }
  const newest = Math.max(-1, ...[...found.values()].map((one) => one.mark));
  const rows = [...found.values()].sort((a, b) => b.mark - a.mark || a.place - b.place);
  const waiting = starters.filter((one) => !found.has(one.bib) && one.status !== "DNS").sort((a, b) => a.draw - b.draw);
  return [
    ...rows.map((one, i) => ({ ...one, place: i + 1, newest: one.mark === newest })),
    ...waiting.map((one) => ({ bib: one.bib, place: null, gap_ms: null, mark: -1, newest: false, inferred: false })),
  ];
}

/** Lines of the result as they may be shown: codes only once they are official. */
export function resultRows(result) {
  const official = result.status === "official";
  return result.results.map((line) => ({
    ...line,
    code: official ? line.status : null,
    mark: result.marks?.[line.bib] ?? null,
    provisional: !official,
  }));
}

/** The heats of the programme after this one that have no official result yet. */
export function nextHeats(meet, competition, heat, count) {
  const heats = meet?.heats ?? [];
  const at = heats.findIndex((one) => one.heat === heat);
  return heats.slice(at + 1).filter((one) => competition?.heats?.[one.heat] !== "official").slice(0, count);
}

/** "AWANG Azizulhasni", or "TJON EN FA J." where that would be longer than `most` letters. */
export function shortName(ctx, rider, most) {
  const whole = ctx.format.name(rider);
  if (whole.length <= most || !rider.surname) return whole;
  return `${rider.surname.toUpperCase()} ${(rider.given ?? "").slice(0, 1)}.`;
}

/** Time of day in the programme: "15:48" of "2021-08-07T15:48". */
export function planned(heat) {
  return heat.scheduled ? heat.scheduled.slice(11, 16) : "";
}

/** The pacer's speed at the last loop, km/h, while it leads; null otherwise. */
export function pacerSpeed(pace, state) {
  const last = pace?.sections.at(-1);
  if (!last || !isPaced(state) || pace.pull_off !== "awaited") return null;
  return last.speed_at_end_kmh ?? last.speed_kmh;
}
