/**
 * The track map: the oval to scale, its lines and loops, the riders and the derny as they go round.
 *
 * `trackMap(ctx, {width, height, side?, selected?})` gives an SVG vnode; `width` and `height` are its pixels at normal
 * size (it scales with its box), `side` what is left free beside the oval, `selected` a bib to ring. The markers live
 * in a group that is not described: they move between the messages, and nothing else of the picture is touched.
 * A filled marker is where the last read and its speed put a rider; a hollow one should have been read by now.
 */

import { svg } from "./dom.js";
import { BLUE_BAND_M, MEASUREMENT_LINE_M, oval, SPRINTERS_LINE_M, STAYERS_LINE_M, WIDTH_M } from "./track/oval.js";
import { createMarkers } from "./track/markers.js";

const OUTER_M = WIDTH_M - MEASUREMENT_LINE_M;
const SIDE_PX = 66;
const ABOVE_PX = 26;
const LABEL_PX = 9;
const ARROW_PX = 12;
const LEGEND_PX = 118;
/** Class of each painted line and the share of the width that it crosses. */
const CROSS_LINES = {
  finish_m: ["track-finish", 1],
  l200_m: ["track-cross", 1],
  pursuit_home_m: ["track-pursuit", 0.5],
  pursuit_back_m: ["track-pursuit", 0.5],
};
const SIGNS = { live: "●", weak: "▲", dead: "✕", unknown: "○" };

/** The oval of a venue by its `meet` message. Without its lines the home straight is taken to end at the finish. */
export function ovalOf(meet) {
  const lengthM = meet.track_length_m;
  return oval(lengthM, meet.lines?.pursuit_home_m ?? meet.loops.home ?? lengthM * 0.95);
}

export function trackMap(ctx, options = {}) {
  const width = options.width ?? 760;
  const height = options.height ?? 430;
  const meet = ctx.store.get("meet");
  const frame = { class: "track", viewBox: `${-width / 2} ${-height / 2} ${width} ${height}`, role: "img" };
  if (!meet) return svg("svg", { ...frame, "aria-label": ctx.t("track.none"), key: "track-none" });
  const shape = ovalOf(meet);
  const fitting = (width - 2 * SIDE_PX) / shape.widthM(OUTER_M);
  const scale = Math.min(fitting, (height - 2 * ABOVE_PX) / shape.heightM(OUTER_M));
  const health = ctx.store.get("health")?.loops ?? [];
  return svg(
    "svg",
    { ...frame, "aria-label": label(ctx), key: `track-${meet.venue}-${width}-${height}` },
    surface(shape, scale),
    lines(shape, scale, meet),
    Object.entries(meet.loops).map(([loop, metres]) => loopMark(ctx, shape, scale, loop, metres, health.find((one) => one.loop === loop))),
    arrow(shape, scale),
    legend(ctx, width, height),
    svg("g", {
      class: "track-markers",
      key: "markers",
      "aria-hidden": "true",
      "data-selected": options.selected ?? null,
      ref: (node) => createMarkers(node, shape, scale, ctx),
    }),
  );
}

function label(ctx) {
  const meet = ctx.store.get("meet");
  return ctx.t("track.label", { venue: meet.venue_name, length: meet.track_length_m });
}

/** The surface from the inner edge to the fence, the blue band inside it, and the three lines lengthwise. */
function surface(shape, scale) {
  const inner = -MEASUREMENT_LINE_M;
  return [
    svg("path", { class: "track-surface", "fill-rule": "evenodd", d: shape.path(OUTER_M, scale) + shape.path(inner, scale) }),
    svg("path", { class: "track-band", "fill-rule": "evenodd", d: shape.path(inner, scale) + shape.path(inner - BLUE_BAND_M, scale) }),
    svg("path", { class: "track-line track-black", d: shape.path(0, scale) }),
    svg("path", { class: "track-line track-red", d: shape.path(SPRINTERS_LINE_M - MEASUREMENT_LINE_M, scale) }),
    svg("path", { class: "track-line track-blue", d: shape.path(STAYERS_LINE_M - MEASUREMENT_LINE_M, scale) }),
  ];
}

/** The painted cross lines: the finish over the whole width, the others as they are known. */
function lines(shape, scale, meet) {
  const known = { finish_m: 0, ...meet.lines };
  return Object.entries(CROSS_LINES)
    .filter(([name]) => known[name] !== undefined)
    .map(([name, [kind, share]]) => {
      const toM = share * WIDTH_M - MEASUREMENT_LINE_M;
      return across(shape, scale, known[name], -MEASUREMENT_LINE_M, toM, { class: kind, key: name });
    });
}

function across(shape, scale, metres, fromM, toM, attrs) {
  const a = shape.at(metres, fromM);
  const b = shape.at(metres, toM);
  return svg("line", { ...attrs, x1: a.x * scale, y1: a.y * scale, x2: b.x * scale, y2: b.y * scale });
}

/** A loop: a dot on the inner edge, outside its name with the sign and word of its state; across the track if it fails. */
function loopMark(ctx, shape, scale, loop, metres, health) {
  const condition = health?.condition ?? "unknown";
  const failing = condition === "dead" || condition === "weak";
  const foot = shape.at(metres, -MEASUREMENT_LINE_M);
  const edge = shape.at(metres, OUTER_M);
  const text = shape.at(metres, OUTER_M + LABEL_PX / scale);
  const side = text.nx > 0.4 ? "start" : text.nx < -0.4 ? "end" : "middle";
  const shift = crowded(ctx.store.get("meet"), metres) ? 22 : 0;
  const y = text.y * scale + (text.ny > 0.4 ? 9 : text.ny < -0.4 ? 0 : 5);
  const x = text.x * scale - shift;
  const word = failing ? ctx.t(`track.loop_${condition}`) : "";
  return svg(
    "g",
    { class: `track-loop ${condition}`, key: `loop-${loop}`, "data-loop": loop, "data-condition": condition },
    failing ? across(shape, scale, metres, -MEASUREMENT_LINE_M, OUTER_M, { key: "across", class: "across" }) : null,
    svg("line", { key: "tick", x1: edge.x * scale, y1: edge.y * scale, x2: edge.x * scale + edge.nx * 5, y2: edge.y * scale + edge.ny * 5 }),
    svg("circle", { cx: foot.x * scale, cy: foot.y * scale, r: 3 }),
    svg("text", { x, y, "text-anchor": side }, `${SIGNS[condition] ?? "○"} ${loop} `, side === "middle" ? word : svg("tspan", { x, dy: "1.15em" }, word)),
  );
}

/** Whether the next loop is so near that their names would run into each other. */
function crowded(meet, metres) {
  const near = meet.track_length_m * 0.08;
  return Object.values(meet.loops).some((other) => {
    const ahead = (other - metres + meet.track_length_m) % meet.track_length_m;
    return ahead > 0 && ahead < near;
  });
}

/** Which way they ride: an arrow below the home straight. */
function arrow(shape, scale) {
  const y = (shape.radius + OUTER_M) * scale + ARROW_PX;
  const x = -(shape.straight / 2) * scale - 46;
  return svg("path", { class: "track-arrow", d: `M${x.toFixed(1)} ${y.toFixed(1)}h46m-8 -5l8 5l-8 5` });
}

function legend(ctx, width, height) {
  return svg(
    "g",
    { class: "track-legend", "aria-hidden": "true" },
    [
      [svg("circle", { class: "tag", r: 7 }), "track.read"],
      [svg("circle", { class: "tag hollow", r: 7 }), "track.awaited"],
      [svg("path", { class: "tag derny", d: "M0 -8l8 8l-8 8l-8 -8z" }), "track.derny"],
    ].map(([sign, key], row) => {
      const place = `translate(${width / 2 - LEGEND_PX} ${row * 19 - height / 2 + 14})`;
      return svg("g", { key, transform: place }, sign, svg("text", { x: 13, y: 4 }, ctx.t(key)));
    }),
  );
}
