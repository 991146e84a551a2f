/**
 * What the operator's screen shows, derived from the topics and from nothing else: no element, no clock, no words.
 */

const INFERRED = new Set(["interpolated", "predicted"]);
const RANKED = new Set(["finished", "provisional", "official"]);

/** Whether nobody has read or accepted this crossing. */
export function isInferred(crossing) {
  return INFERRED.has(crossing.source);
}

/**
 * The field in its present order: by place once the race is over, before that by who is farthest round the course,
 * then by the time there. Each: {bib, rider, place, order, status, lap, loop, halfLapMs, lapMs, kmh, gapMs,
 * confidence, inferred, atMs}.
 */
export function fieldRows({ state, start, splits, order, result }) {
  const lines = new Map((result?.results ?? []).map((line) => [line.bib, line]));
  const crossings = new Map((splits?.splits ?? []).map((one) => [one.bib, one.crossings]));
  const gaps = gapsByMark(order);
  const rows = (start?.starters ?? []).map((rider) =>
    row(rider, lines.get(rider.bib), crossings.get(rider.bib) ?? [], gaps),
  );
  const ranked = RANKED.has(state) && lines.size > 0;
  rows.sort(ranked ? byResult : byCourse);
  rows.forEach((one, i) => {
    one.order = i + 1;
    if (ranked) one.gapMs = lines.get(one.bib)?.gap_ms ?? null;
  });
  return rows;
}

function gapsByMark(order) {
  return new Map(
    (order?.orders ?? []).map((one) => [one.mark, new Map(one.entries.map((entry) => [entry.bib, entry.gap_ms]))]),
  );
}

function row(rider, line, crossings, gaps) {
  const last = crossings.at(-1);
  const newest = (name) => crossings.findLast((one) => one[name] !== null && one[name] !== undefined)?.[name] ?? null;
  return {
    bib: rider.bib,
    rider,
    draw: rider.draw,
    place: line?.place ?? null,
    listed: line?.order ?? 99,
    status: line?.status ?? rider.status,
    warnings: line?.warnings ?? 0,
    lap: last?.lap ?? 0,
    loop: last?.loop ?? null,
    metres: last?.distance_m ?? -1,
    atMs: last?.race_ms ?? null,
    halfLapMs: newest("half_lap_ms"),
    lapMs: newest("lap_ms"),
    kmh: newest("speed_kmh"),
    gapMs: last ? (gaps.get(last.mark)?.get(rider.bib) ?? null) : null,
    inferred: last ? isInferred(last) : false,
    confidence: last?.confidence ?? 100,
  };
}

function byCourse(a, b) {
  return (
    Number(a.status === "DNS") - Number(b.status === "DNS") ||
    b.metres - a.metres ||
    (a.atMs ?? 0) - (b.atMs ?? 0) ||
    a.draw - b.draw
  );
}

function byResult(a, b) {
  return a.listed - b.listed;
}

/** Crossings that were inferred and that nobody has decided about, the newest first: {id, bib, mark, crossing}. */
export function missedReads(splits) {
  const found = [];
  for (const rider of splits?.splits ?? []) {
    for (const crossing of rider.crossings) {
      if (isInferred(crossing))
        found.push({ id: `${rider.bib}@${crossing.mark}`, bib: rider.bib, mark: crossing.mark, crossing });
    }
  }
  return found.sort((a, b) => b.crossing.race_ms - a.crossing.race_ms || (a.id < b.id ? -1 : 1));
}

/** What matches nobody, of this heat and of none, the newest first: {id, at_us, device, what, where, reason}. */
export function inboxItems(splits, health) {
  const unmatched = (splits?.unmatched ?? []).map((one) => ({
    id: `u${one.read}`,
    at_us: one.at_us,
    device: one.device,
    what: one.what,
    where: one.loop,
    reason: one.reason,
  }));
  const rest = (health?.inbox ?? []).map((one, i) => ({
    id: `i${one.read}-${i}`,
    at_us: one.at_us,
    device: one.device,
    what: one.what,
    where: "",
    reason: one.reason,
  }));
  return [...unmatched, ...rest].sort((a, b) => b.at_us - a.at_us);
}

/** The record of the heat, the newest first. */
export function historyRows(history) {
  return [...(history?.entries ?? [])].sort((a, b) => b.row - a.row);
}

/** The order that `undo` would take back: the newest of a person that stands and that this role may take back. */
export function undoTarget(history, role) {
  return (
    historyRows(history).find((one) => one.action.type !== "undo" && one.role !== "system" && canUndo(one, role)) ??
    null
  );
}

export function canUndo(entry, role) {
  return entry.accepted && entry.can_undo && !entry.undone_by && (entry.undo_roles ?? [role]).includes(role);
}

/** The order that `redo` would bring back: that which was taken back last. */
export function redoTarget(history) {
  const rows = historyRows(history);
  const rowOf = new Map(rows.map((one) => [one.id, one.row]));
  const undone = rows.filter((one) => one.undone_by && one.action.type !== "undo");
  return undone.sort((a, b) => (rowOf.get(b.undone_by) ?? 0) - (rowOf.get(a.undone_by) ?? 0))[0] ?? null;
}

/** The next heat of the programme that is not official; after the current one where there is one. */
export function nextHeat(meet, competition, current) {
  const heats = meet?.heats ?? [];
  const done = (one) => (competition?.heats[one.heat] ?? "none") === "official";
  const at = heats.findIndex((one) => one.heat === current);
  return (
    heats.slice(at + 1).find((one) => !done(one)) ?? heats.find((one) => !done(one) && one.heat !== current) ?? null
  );
}

/** The orders that the state of a heat allows, as the core has it (timing/race/permits.py). */
export function allowed(state) {
  const racing = ["started", "first_lap", "paced", "pacer_exit", "sprint", "bell"].includes(state);
  const open = !["none", "drawn", "official"].includes(state);
  return {
    arm: state === "on_line",
    gun: state === "pacer_run",
    bell: racing,
    laps: racing || state === "on_line" || state === "pacer_run",
    stop: racing || state === "pacer_run",
    restart: state === "stopped",
    mishap: racing,
    close: racing,
    open: !racing && state !== "pacer_run",
    reads: open,
  };
}
