/** The chart of the pace: target curve with its band, measured speeds, prediction and pull-off, over the paced metres. */

import { svg } from "../../dom.js";
import { pacerReads } from "../../track/positions.js";
import { kmh, signed, targetPoints, wordOf } from "./curve.js";

const LEFT = 52;
const RIGHT = 74;
const TOP = 28;
const BOTTOM = 44;
const BEYOND_SHARE = 0.045;
/** Height of a line of letters in pixels. */
const LETTERS = 15;
/** Room that a sign with its figure needs; on a shorter section stands the sign alone. */
const FIGURE_PX = 46;
const SIGNS = { fast: "▲", slow: "▼", in: "" };

/** `shown` = {pace, curve, tolerance, marks, lapM, live}; width and height in pixels. */
export function paceChart(ctx, shown, width, height) {
  const { pace, curve, tolerance } = shown;
  const endM = pace.paced_m * (1 + BEYOND_SHARE);
  const speeds = pace.sections.flatMap((one) => [one.speed_kmh, one.speed_at_end_kmh ?? one.speed_kmh]);
  const low = Math.floor(Math.min(curve.start_kmh - tolerance.red_kmh - 1, ...speeds) / 5) * 5;
  const high = Math.ceil(Math.max(curve.end_kmh + tolerance.red_kmh + 1, ...speeds) / 5) * 5;
  const x = (metres) => LEFT + ((width - LEFT - RIGHT) * metres) / endM;
  const y = (speed) => TOP + (height - TOP - BOTTOM) * (1 - (speed - low) / (high - low));
  const space = { x, y, low, high, width, height };
  return svg(
    "svg",
    { class: "pace-chart", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": summary(ctx, shown), key: "chart" },
    band(space, shown, tolerance.red_kmh, "pace-zone-red"),
    band(space, shown, tolerance.amber_kmh, "pace-zone-in"),
    grid(ctx, space),
    loopTicks(ctx, space, shown),
    svg("path", { class: "pace-target", d: line(targetPoints(curve, pace.paced_m).map(([m, v]) => [x(m), y(v)])) }),
    bandLabels(ctx, space, shown),
    exitLine(ctx, space, pace),
    measured(ctx, space, pace),
    prediction(ctx, space, pace),
    pullOff(ctx, space, pace),
    shown.live ? now(ctx, space) : null,
  );
}

function summary(ctx, { pace }) {
  const last = pace.sections.at(-1);
  return last
    ? ctx.t("pace.chart_label", { metres: last.to_m, speed: kmh(last.speed_kmh), target: kmh(last.target_kmh) })
    : ctx.t("pace.chart_empty");
}

const line = (points) => points.map(([px, py], i) => `${i ? "L" : "M"}${px.toFixed(1)} ${py.toFixed(1)}`).join("");

function band({ x, y }, { curve, pace }, width, kind) {
  const points = targetPoints(curve, pace.paced_m);
  const upper = points.map(([m, v]) => [x(m), y(v + width)]);
  const lower = points.map(([m, v]) => [x(m), y(v - width)]).reverse();
  return svg("path", { class: kind, d: `${line([...upper, ...lower])}Z` });
}

function grid(ctx, { x, y, low, high, width }) {
  const found = [];
  for (let speed = low; speed <= high; speed += 5) {
    found.push(
      svg("line", { class: "pace-grid", x1: x(0), x2: width - RIGHT, y1: y(speed), y2: y(speed) }),
      svg("text", { class: "pace-axis", x: x(0) - 8, y: y(speed) + 5, "text-anchor": "end" }, speed),
    );
  }
  return [found, svg("text", { class: "pace-axis soft", x: 6, y: 14 }, "km/h")];
}

/** A tick for each loop, and a longer one with the lap's number where a lap begins. */
function loopTicks(ctx, { x, y, low, height }, { marks, lapM, pace }) {
  const base = y(low);
  const ticks = marks.map((one) => svg("line", { class: "pace-tick", x1: x(one.metres), x2: x(one.metres), y1: base, y2: base + 6 }));
  const laps = [];
  for (let lap = 0; lap * lapM < pace.paced_m - 1; lap += 1) {
    const middle = x(Math.min(lap * lapM + lapM / 2, (lap * lapM + pace.paced_m) / 2));
    laps.push(svg("line", { class: "pace-lap", x1: x(lap * lapM), x2: x(lap * lapM), y1: TOP, y2: base + 12 }));
    laps.push(svg("text", { class: "pace-axis", x: middle, y: height - 22, "text-anchor": "middle" }, ctx.t("pace.lap", { number: lap + 1 })));
    laps.push(svg("text", { class: "pace-axis soft", x: x(lap * lapM), y: height - 6, "text-anchor": "middle" }, `${lap * lapM} m`));
  }
  return [ticks, laps];
}

function bandLabels(ctx, { x, y, width }, { curve, tolerance, pace }) {
  const at = width - RIGHT + 6;
  const label = (off) => svg("text", { class: "pace-axis soft", x: at, y: y(curve.end_kmh + off) + 5 }, signed(off));
  const { amber_kmh: amber, red_kmh: red } = tolerance;
  const roomy = y(0) - y(red - amber) > LETTERS;
  return [
    (roomy ? [red, amber, -amber, -red] : [red, -red]).map(label),
    svg(
      "text",
      { class: "pace-axis pace-target-name", x: x(pace.paced_m * 0.012), y: y(curve.start_kmh + red) - 9 },
      ctx.t("pace.target_curve", { from: curve.start_kmh, to: curve.end_kmh }),
    ),
  ];
}

function exitLine(ctx, { x, y, low, height }, pace) {
  return [
    svg("line", { class: "pace-exit", x1: x(pace.paced_m), x2: x(pace.paced_m), y1: TOP - 4, y2: y(low) + 12 }),
    svg("text", { class: "pace-axis strong", x: x(pace.paced_m), y: height - 6, "text-anchor": "middle" }, ctx.t("pace.exit_at", { metres: pace.paced_m })),
  ];
}

/** Mean speed of each section as a bar, the speeds at the loops joined; what is off has its sign and figure. */
function measured(ctx, { x, y }, pace) {
  const bars = pace.sections.map((one) => {
    const word = wordOf(one.deviation_kmh, one.band);
    const above = one.deviation_kmh > 0;
    const place = { x: x((one.from_m + one.to_m) / 2), y: y(one.speed_kmh) + (above ? -9 : 20) };
    const roomy = x(one.to_m) - x(one.from_m) > FIGURE_PX;
    return svg(
      "g",
      { class: `pace-section ${one.band}`, key: `s-${one.to_m}` },
      svg("line", { x1: x(one.from_m), x2: x(one.to_m), y1: y(one.speed_kmh), y2: y(one.speed_kmh) }),
      word === "in"
        ? null
        : svg("text", { ...place, "text-anchor": "middle" }, SIGNS[word], roomy ? signed(one.deviation_kmh) : ""),
    );
  });
  const edges = pace.sections.filter((one) => one.speed_at_end_kmh !== null).map((one) => [x(one.to_m), y(one.speed_at_end_kmh)]);
  return [
    edges.length > 1 ? svg("path", { class: "pace-edge", d: line(edges) }) : null,
    bars,
    edges.map(([px, py], i) => svg("circle", { class: "pace-dot", key: `e-${i}`, cx: px, cy: py, r: 4.5 })),
  ];
}

function prediction(ctx, { x, y }, pace) {
  const last = pace.sections.at(-1);
  if (!last || pace.predicted_exit_kmh === null || last.to_m >= pace.paced_m - 0.01) return null;
  const to = [x(pace.paced_m), y(pace.predicted_exit_kmh)];
  return [
    svg("path", { class: "pace-predicted", d: line([[x(last.to_m), y(last.speed_at_end_kmh ?? last.speed_kmh)], to]) }),
    svg("circle", { class: "pace-dot hollow", cx: to[0], cy: to[1], r: 6 }),
    svg("text", { class: "pace-axis strong", x: to[0] + 9, y: to[1] + 5 }, kmh(pace.predicted_exit_kmh)),
  ];
}

/** Where it was read last, and up to where it can have gone from there. */
function pullOff(ctx, { x, y, low }, pace) {
  if (pace.pull_off === "awaited" || pace.pull_off_m === null) return null;
  const from = x(pace.pull_off_m);
  const to = x(pace.pull_off_before_m ?? pace.pull_off_m);
  return svg(
    "g",
    { class: `pace-pull-off ${pace.pull_off}` },
    svg("rect", { x: from, y: TOP, width: Math.max(0, to - from), height: y(low) - TOP }),
    svg("path", { d: `M${from} ${TOP + 26}v-22l16 6l-16 6` }),
    svg("text", { x: from - 6, y: TOP + 14, "text-anchor": "end" }, ctx.t(`pace.pull_off_${pace.pull_off}`)),
  );
}

/** Made anew with the axes, which it keeps. */
function now(ctx, space) {
  const key = `now-${space.width}-${space.height}-${space.low}`;
  const attrs = { class: "pace-now", "aria-hidden": "true", d: "M0 0l-7 11h14z", visibility: "hidden" };
  return svg("path", { ...attrs, key, ref: (node) => follow(node, ctx, space) });
}

/** The small triangle at the foot of the chart goes on with the derny between the loops. */
function follow(node, ctx, { x, y, low }) {
  const { store } = ctx;
  let attached = false;
  function frame() {
    if (attached && !node.isConnected) return;
    attached ||= node.isConnected;
    requestAnimationFrame(frame);
    const current = store.current();
    const pace = store.heat("pace")?.pace;
    const last = pace?.sections.at(-1);
    const nowUs = store.coreNow();
    const loops = store.get("meet")?.loops ?? {};
    const splits = store.heat("splits")?.splits;
    const reads = pace ? pacerReads(store.passings(), loops, current?.heat, pace, splits, current?.start_us ?? null) : [];
    const shown = last && nowUs !== null && reads.length > 0 && pace.pull_off === "awaited" && last.to_m < pace.paced_m - 0.01;
    node.setAttribute("visibility", shown ? "visible" : "hidden");
    if (!shown) return;
    const sinceS = Math.max(0, nowUs - reads[0].atUs) / 1e6;
    const metres = Math.min(pace.paced_m, last.to_m + (sinceS * (last.speed_at_end_kmh ?? last.speed_kmh)) / 3.6);
    node.setAttribute("transform", `translate(${x(metres).toFixed(1)} ${(y(low) + 1).toFixed(1)})`);
  }
  requestAnimationFrame(frame);
}
