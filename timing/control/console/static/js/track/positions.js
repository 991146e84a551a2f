/**
 * Where everybody is just now: the last crossing, and how far its speed has carried since.
 *
 * Pure: time comes in as core µs. A position is `{metres (after the finish line), course (from the start line, null
 * for the pacer), sure}`; `sure` is false where a loop should have spoken by now, or where the last crossing was
 * inferred. Nobody is carried beyond the next loop by more than a little: there the marker waits for the read.
 */

import { mod } from "./oval.js";

const WAIT_BEYOND_M = 2;
const GRACE_US = 400_000;
const GRACE_SHARE = 0.15;
const RUN_UP_M = 100;
const RUN_UP_KMH = 30;
const START_ACCELERATION = 1.4;
const GONE_AFTER_US = 6_000_000;
const PACER_GONE_US = 2_500_000;
const MEASURED = new Set(["start", "read", "manual", "accepted", "cell"]);
const NEAR_M = 0.05;

/** Metres after the finish line of the start line: the course ends on the finish line. */
export function startLine(courseM, lengthM) {
  return mod(-courseM, lengthM);
}

/** Metres from `metres` (after the finish line) to the next of the loops that read; a whole lap where there is one. */
export function toNextLoop(metres, loops, lengthM) {
  const ahead = loops.map((loop) => mod(loop - metres, lengthM)).map((one) => (one < NEAR_M || lengthM - one < NEAR_M ? lengthM : one));
  return Math.min(lengthM, ...ahead);
}

/** Metres ridden since a crossing, and whether that is still to be believed. `speedKmh` null: from a standing start. */
export function carried(sinceUs, speedKmh, untilM, clockSpeed = 1) {
  const s = Math.max(0, sinceUs) / 1e6;
  const top = (speedKmh ?? RUN_UP_KMH) / 3.6;
  const rampS = speedKmh === null ? top / START_ACCELERATION : 0;
  const ridden = s < rampS ? (START_ACCELERATION * s * s) / 2 : top * (s - rampS / 2);
  const dueUs = (untilM / top + rampS / 2) * 1e6;
  const graceUs = Math.max(GRACE_US, dueUs * GRACE_SHARE) + 100_000 * (clockSpeed - 1);
  return { metres: Math.min(ridden, untilM + WAIT_BEYOND_M), sure: sinceUs <= dueUs + graceUs };
}

/**
 * A rider now, or null where nobody can say. `course` = {lengthM, courseM, loops: metres of the loops that read,
 * clockSpeed, leastKmh}; `leastKmh` is what a rider behind the pacer rides at least.
 */
export function riderNow(crossings, nowUs, startUs, course) {
  const last = crossings.at(-1);
  if (!last || startUs === null) return null;
  const start = startLine(course.courseM, course.lengthM);
  const metres = start + last.distance_m;
  const sinceUs = nowUs - startUs - last.race_ms * 1000;
  const home = last.distance_m >= course.courseM - NEAR_M;
  if (home && sinceUs > GONE_AFTER_US) return null;
  const untilM = toNextLoop(metres, course.loops, course.lengthM);
  // The first sectors are ridden from standing: their mean says little of the speed at their end.
  const runUpKmh = Math.max(last.speed_kmh ?? 0, course.leastKmh ?? RUN_UP_KMH);
  const ridingKmh = last.distance_m < RUN_UP_M ? runUpKmh : (last.speed_kmh ?? RUN_UP_KMH);
  const speedKmh = last.distance_m === 0 ? null : ridingKmh;
  const far = carried(sinceUs, speedKmh, untilM, course.clockSpeed);
  const at = last.distance_m + far.metres;
  return { metres: mod(start + at, course.lengthM), course: at, sure: far.sure && !home && MEASURED.has(last.source), speedKmh };
}

/** The pacer's last two times over loops: `[{metres, atUs}]`, newest first, from the stream or, after a reload, the margins. */
export function pacerReads(passings, loops, heat, pace, splits, startUs) {
  const seen = passings.filter((one) => one.pacer && one.heat === heat && one.loop in loops && !one.backlog);
  if (seen.length) return seen.slice(0, 2).map((one) => ({ metres: loops[one.loop], atUs: one.race_us }));
  const found = new Map();
  for (const margin of pace?.margins ?? []) {
    const crossing = splits?.find((one) => one.bib === margin.bib)?.crossings.find((one) => one.mark === margin.mark);
    if (crossing && startUs !== null) found.set(margin.mark, { metres: loops[margin.loop], atUs: startUs + (crossing.race_ms - margin.margin_ms) * 1000 });
  }
  return [...found.entries()].sort(([a], [b]) => b - a).slice(0, 2).map(([, read]) => read);
}

/** The pacer now, or null. `left`: it is beyond its exit line or off the track. */
export function pacerNow(reads, nowUs, course, left) {
  const [last, before] = reads;
  if (!last) return null;
  const sinceUs = nowUs - last.atUs;
  if (left && sinceUs > PACER_GONE_US * Math.max(1, course.clockSpeed / 4)) return null;
  const lap = before ? mod(last.metres - before.metres, course.lengthM) || course.lengthM : null;
  const speedKmh = before && last.atUs > before.atUs ? ((lap / (last.atUs - before.atUs)) * 1e6) * 3.6 : RUN_UP_KMH;
  // Two rounds apart, or a read of yesterday: no speed that a derny rides.
  const likely = speedKmh > 10 && speedKmh < 90 ? speedKmh : RUN_UP_KMH;
  const untilM = toNextLoop(last.metres, course.loops, course.lengthM);
  const far = carried(sinceUs, likely, untilM, course.clockSpeed);
  if (!left && sinceUs > 60_000_000) return null;
  return { metres: mod(last.metres + far.metres, course.lengthM), course: null, sure: far.sure && !left, speedKmh: likely, left };
}

/** The order along the course with as few changes as can be: neighbours change places only when clearly apart. */
export function steadyOrder(before, now, apartM = 1.5) {
  const order = before.filter((bib) => now.has(bib));
  for (const bib of now.keys()) if (!order.includes(bib)) order.push(bib);
  for (let round = 0; round < order.length; round += 1) {
    for (let i = 1; i < order.length; i += 1) {
      if (now.get(order[i]) > now.get(order[i - 1]) + apartM) [order[i - 1], order[i]] = [order[i], order[i - 1]];
    }
  }
  return order;
}
