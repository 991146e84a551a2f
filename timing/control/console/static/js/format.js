/**
 * Numbers as people of the track read them. Durations come in whole ms or µs (already truncated by the core),
 * speeds in km/h. Nothing is rounded up: what is cut off is cut off. The class `num` aligns the figures.
 */

export const NOTHING = "–";
const MINUS = "−";

/** Gap in ms: "+0.248"; null (winner, no place) is a dash. */
export function gap(ms) {
  if (ms === null || ms === undefined) return NOTHING;
  return (ms < 0 ? MINUS : "+") + thousandths(Math.abs(ms));
}

/** Duration in ms: "15.204", from a minute on "1:02.003". */
export function seconds(ms) {
  if (ms === null || ms === undefined) return NOTHING;
  return (ms < 0 ? MINUS : "") + thousandths(Math.abs(ms));
}

function thousandths(ms) {
  const whole = Math.trunc(ms / 1000);
  const rest = String(Math.trunc(ms % 1000)).padStart(3, "0");
  if (whole < 60) return `${whole}.${rest}`;
  return `${Math.trunc(whole / 60)}:${String(whole % 60).padStart(2, "0")}.${rest}`;
}

/** Race clock of µs since the gun: "1:23.4". */
export function raceClock(us) {
  if (us === null || us === undefined) return "–:––.–";
  const tenths = Math.trunc(Math.abs(us) / 100_000);
  const rest = `${Math.trunc(tenths / 10) % 60}`.padStart(2, "0");
  return `${us < 0 ? MINUS : ""}${Math.trunc(tenths / 600)}:${rest}.${tenths % 10}`;
}

const clocks = new Map();

/** Time of day of UTC µs at a venue (`tz`: IANA name): "14:03:22", with `digits` decimals (cut off). */
export function clock(us, tz, digits = 0) {
  if (us === null || us === undefined || us === 0) return NOTHING;
  const zone = tz ?? "UTC";
  if (!clocks.has(zone)) {
    const parts = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23", timeZone: zone };
    clocks.set(zone, new Intl.DateTimeFormat("en-GB", parts));
  }
  const text = clocks.get(zone).format(new Date(Math.floor(us / 1000)));
  return digits
    ? `${text}.${String(us % 1_000_000)
        .padStart(6, "0")
        .slice(0, digits)}`
    : text;
}

/** "GLAETZER Matthew"; a rider is anything with surname and given, or with a name already in that form. */
export function name(rider) {
  if (!rider) return NOTHING;
  return rider.surname ? `${rider.surname.toUpperCase()} ${rider.given ?? ""}`.trim() : (rider.name ?? rider.bib);
}

/** Speed in km/h: "62.4". */
export function speed(kmh) {
  return kmh === null || kmh === undefined ? NOTHING : (Math.trunc(kmh * 10) / 10).toFixed(1);
}

/** Place: "2", in brackets while it is not official; a dash where there is none. */
export function place(n, provisional) {
  if (n === null || n === undefined) return NOTHING;
  return provisional ? `(${n})` : String(n);
}

/** Laps: "3", "2.5". */
export function laps(n) {
  if (n === null || n === undefined) return NOTHING;
  return Number.isInteger(n) ? String(n) : n.toFixed(1);
}

/** How long ago, in words short enough for a strip: "4 s", "3 min", "2 h". */
export function ago(us) {
  if (us === null || us === undefined) return NOTHING;
  const s = Math.max(0, Math.trunc(us / 1_000_000));
  if (s < 100) return `${s} s`;
  return s < 6000 ? `${Math.trunc(s / 60)} min` : `${Math.trunc(s / 3600)} h`;
}
