/**
 * The track as an oval to scale, seen from above: metres after the finish line ↔ a point in the plane.
 *
 * Two straights and two half circles stand in for the real bends, whose transition curves no venue file gives. The
 * length is exact along the measurement line (the black line). x goes right and y down, in metres from the middle of
 * the infield; the home straight is at the bottom and is ridden from left to right, as seen from the stand.
 */

export const STRAIGHT_SHARE = 0.17;
/** Each straight's part of the length: 42 m on 250 m, as built at most tracks of that length. */

export const MEASUREMENT_LINE_M = 0.2;
export const SPRINTERS_LINE_M = 0.85;
export const STAYERS_LINE_M = 2.45;
export const WIDTH_M = 7.0;
export const BLUE_BAND_M = 0.9;
/** Above the inner edge of the track; widths are the least for category 1 and 2 (UCI 3.6.070-080). */

/** `lengthM` along the measurement line; `homeM`: where the middle of the home straight is, after the finish line. */
export function oval(lengthM, homeM) {
  const straight = lengthM * STRAIGHT_SHARE;
  const radius = (lengthM - 2 * straight) / (2 * Math.PI);
  const bend = Math.PI * radius;
  const half = straight / 2;

  /** The point at `metres` after the finish line, `outward` metres above the measurement line, and its direction. */
  function at(metres, outward = 0) {
    const r = radius + outward;
    let u = mod(metres - homeM, lengthM);
    if (u < half) return { x: u, y: r, nx: 0, ny: 1 };
    u -= half;
    if (u < bend) return onBend(u / radius, 1, r);
    u -= bend;
    if (u < straight) return { x: half - u, y: -r, nx: 0, ny: -1 };
    u -= straight;
    if (u < bend) return onBend(u / radius, -1, r);
    u -= bend;
    return { x: u - half, y: r, nx: 0, ny: 1 };
  }

  function onBend(angle, side, r) {
    const nx = side * Math.sin(angle);
    const ny = side * Math.cos(angle);
    return { x: side * half + r * nx, y: r * ny, nx, ny };
  }

  /** A closed line round the track, as the `d` of an SVG path in units of `scale` pixels a metre. */
  function path(outward, scale = 1) {
    const r = (radius + outward) * scale;
    const x = half * scale;
    const n = (value) => value.toFixed(2);
    return `M${n(-x)} ${n(r)}H${n(x)}A${n(r)} ${n(r)} 0 0 0 ${n(x)} ${n(-r)}H${n(-x)}A${n(r)} ${n(r)} 0 0 0 ${n(-x)} ${n(r)}Z`;
  }

  return { lengthM, straight, radius, at, path, widthM: (outward) => straight + 2 * (radius + outward), heightM: (outward) => 2 * (radius + outward) };
}

/** The remainder that is never negative. */
export function mod(value, base) {
  return ((value % base) + base) % base;
}
