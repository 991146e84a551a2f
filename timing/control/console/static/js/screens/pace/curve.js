/** The pacer's target curve and what is measured against it: arithmetic only (UCI 3.2.137; shapes as in the rule book). */

import { mod } from "../../track/oval.js";

/** Target km/h at `metres` of the paced distance; constant before its start and after its end. */
export function targetAt(curve, metres, pacedM) {
  const share = Math.min(1, Math.max(0, metres / pacedM));
  const { start_kmh: from, end_kmh: to, shape } = curve;
  if (shape === "constant_acceleration") return evenInTime(from, to, share);
  if (shape === "hold_ramp_hold") return evenInTime(from, to, Math.min(1, Math.max(0, 3 * share - 1)));
  return from + (to - from) * share;
}

function evenInTime(from, to, share) {
  return Math.sqrt(from * from + (to * to - from * from) * share);
}

/** Points [metres, km/h] of the curve, close enough to be joined by straight lines. */
export function targetPoints(curve, pacedM, pieces = 60) {
  return Array.from({ length: pieces + 1 }, (_, i) => [(pacedM * i) / pieces, targetAt(curve, (pacedM * i) / pieces, pacedM)]);
}

/** The curve that the report was measured against; without the rule book's shape a rise that is even over the metres. */
export function curveOf(meet, pace) {
  const known = meet?.pace_curves?.[pace.curve];
  return { shape: "linear_distance", ...known, start_kmh: pace.target_entry_kmh, end_kmh: pace.target_exit_kmh };
}

export function toleranceOf(meet) {
  return { amber_kmh: 2, red_kmh: 4, pull_off_m: 30, ...meet?.pace_tolerance };
}

/**
 * The pacer at its last loop: {metres, speed, target, deviation, band, predicted, left (metres to the exit)}; null
 * before two loops were read.
 */
export function atLastLoop(pace, curve, tolerance) {
  const last = pace.sections.at(-1);
  if (!last) return null;
  const speed = last.speed_at_end_kmh ?? last.speed_kmh;
  const target = targetAt(curve, last.to_m, pace.paced_m);
  const deviation = speed - target;
  return {
    metres: last.to_m,
    speed,
    target,
    deviation,
    band: bandOf(deviation, tolerance),
    predicted: pace.predicted_exit_kmh,
    left: Math.max(0, pace.paced_m - last.to_m),
  };
}

export function bandOf(deviation, tolerance) {
  const off = Math.abs(deviation);
  return off > tolerance.red_kmh ? "red" : off > tolerance.amber_kmh ? "amber" : "in";
}

/** A speed to the tenth. It is rounded as in the core's sentences: no place hangs on it, and 49.99 is no 49.9. */
export function kmh(speed) {
  return speed === null || speed === undefined ? "–" : speed.toFixed(1);
}

/** "+0.4", "−4.9", "±0.0". */
export function signed(difference) {
  const tenths = Math.abs(difference).toFixed(1);
  return `${tenths === "0.0" ? "±" : difference < 0 ? "−" : "+"}${tenths}`;
}

/** "fast", "slow" or "in": the word that goes with a band. */
export function wordOf(deviation, band) {
  return band === "in" ? "in" : deviation > 0 ? "fast" : "slow";
}

/** Where the start line is, metres after the finish line, from anything that was read: {loop, distance_m}. */
export function startOf(meet, read) {
  const at = read ? meet.loops[read.loop] - read.distance_m : (meet.lines?.pursuit_home_m ?? 0);
  return mod(at, meet.track_length_m);
}

/** Every loop up to the exit line as {mark, loop, metres}; marks count as the core's do. */
export function pacedMarks(meet, startM, pacedM) {
  const length = meet.track_length_m;
  const marks = [];
  for (const [loop, position] of Object.entries(meet.loops)) {
    const first = Math.round(mod(position - startM, length) * 1000) / 1000;
    for (let metres = first === length ? 0 : first; metres <= pacedM + 0.001; metres += length) marks.push({ loop, metres: Math.round(metres * 1000) / 1000 });
  }
  marks.sort((a, b) => a.metres - b.metres);
  return marks.map((one, mark) => ({ ...one, mark })).filter((one) => one.metres > 0);
}

/** Rows of the margins table: for each rider in drawn order the margin at each mark, the last and the least. */
export function marginRows(starters, margins) {
  return [...starters]
    .sort((a, b) => a.draw - b.draw)
    .map((rider) => {
      const own = margins.filter((one) => one.bib === rider.bib).sort((a, b) => a.mark - b.mark);
      const least = own.reduce((found, one) => (found === null || one.margin_m < found.margin_m ? one : found), null);
      return { rider, at: new Map(own.map((one) => [one.mark, one])), last: own.at(-1) ?? null, least };
    });
}
