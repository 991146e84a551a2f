/**
 * The moving part of the track map: one marker for each rider and the derny, moved on 25 times a second.
 *
 * Each has a dot on its exact place of the measurement line and a tag with the bib inside the track, joined by a thin
 * line; tags that would cover each other stand in lanes, so that the bibs of a close bunch stay readable.
 * Moving is the dearest thing that a screen does: nothing is changed but transforms, and those only where they differ.
 */

import { pacerNow, pacerReads, riderNow, startLine, steadyOrder } from "./positions.js";
import { BLUE_BAND_M, mod } from "./oval.js";

const SVG = "http://www.w3.org/2000/svg";
const TAG_PX = 12;
const LANE_PX = 25;
const FIRST_LANE_PX = 16;
const APART_PX = 27;
const INSIDE_SHARE = 0.85;
const QUEUE_PX = 33;
const STEP_MS = 40;
const EARLY_MS = 24;
const EASE = 0.5;
const JUMP_M = 20;
const DERNY = "D";
const WAITING = new Set(["on_line", "pacer_run"]);
const OVER = new Set(["stopped", "provisional", "official"]);
const QUIET_STEP_MS = 250;

export function createMarkers(group, shape, scale, { store, drawn }) {
  const markers = new Map();
  // All stems below all tags, so that no line crosses a bib.
  const stems = group.appendChild(document.createElementNS(SVG, "g"));
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  let order = [];
  let attached = false;
  let steppedMs = -Infinity;

  /** Every 40 ms, in the frame of a drawing where there is one about then: a frame of its own costs as much again. */
  function step() {
    const nowMs = performance.now();
    const waitMs = steppedMs + (still.matches ? QUIET_STEP_MS : STEP_MS) - nowMs;
    if (waitMs > EARLY_MS) return;
    attached ||= group.isConnected;
    steppedMs = nowMs;
    const nowUs = store.coreNow();
    if (nowUs !== null) draw(field(store, shape.lengthM, nowUs));
  }

  function again() {
    if (attached && !group.isConnected) {
      drawn.delete(step);
      return;
    }
    step();
    const dueMs = steppedMs + (still.matches ? QUIET_STEP_MS : STEP_MS) - performance.now();
    setTimeout(() => requestAnimationFrame(again), Math.max(0, dueMs));
  }

  function draw(positions) {
    const along = new Map([...positions].map(([bib, one]) => [bib, one.course]).filter(([, course]) => course !== null));
    order = steadyOrder(order, along);
    for (const [bib, marker] of markers) {
      if (!positions.has(bib)) {
        marker.node.remove();
        marker.stem.remove();
        markers.delete(bib);
      }
    }
    const placed = [];
    for (const bib of [...(positions.has(DERNY) ? [DERNY] : []), ...order]) {
      const position = positions.get(bib);
      const metres = mod(position.metres - (position.queue ?? 0) * (QUEUE_PX / scale), shape.lengthM);
      if (!markers.has(bib)) markers.set(bib, create(bib, metres));
      const marker = markers.get(bib);
      marker.wanted = freeLane(placed, metres, marker.wanted);
      placed.push({ metres, lane: marker.wanted });
      move(marker, metres, position.sure);
    }
  }

  /** The lane that a tag has, as long as no tag before it stands there; else the nearest to the line that is free. */
  function freeLane(placed, metres, lane) {
    const near = placed.filter((one) => apartPx(one.metres, metres) < APART_PX).map((one) => one.lane);
    if (lane !== undefined && !near.includes(lane) && (lane === 0 || near.length > 0)) return lane;
    let free = 0;
    while (near.includes(free)) free += 1;
    return free;
  }

  function apartPx(one, other) {
    const half = shape.lengthM / 2;
    // Tags stand inside the track, where the bends are shorter than along the line.
    return Math.abs(mod(one - other + half, shape.lengthM) - half) * scale * INSIDE_SHARE;
  }

  function create(bib, metres) {
    const node = document.createElementNS(SVG, "g");
    node.setAttribute("class", bib === DERNY ? "marker derny" : "marker");
    node.dataset.bib = bib;
    const make = (parent, tag, attrs) => {
      const child = document.createElementNS(SVG, tag);
      for (const [name, value] of Object.entries(attrs)) child.setAttribute(name, value);
      return parent.appendChild(child);
    };
    const size = TAG_PX + 3;
    const stem = make(stems, "line", { class: "stem", x2: 1 });
    const dot = make(node, "circle", { class: "dot", r: 3 });
    const label = make(node, "g", { class: "label" });
    make(label, ...(bib === DERNY ? ["path", { class: "tag", d: `M0 ${-size}L${size} 0L0 ${size}L${-size} 0Z` }] : ["circle", { class: "tag", r: TAG_PX }]));
    make(label, "text", { class: "bib", dy: "0.35em" }).textContent = bib;
    group.appendChild(node);
    return { node, stem, dot, label, shown: metres, lane: 0, wanted: undefined, kind: "" };
  }

  function move(marker, metres, sure) {
    const half = shape.lengthM / 2;
    const off = mod(metres - marker.shown + half, shape.lengthM) - half;
    marker.shown = Math.abs(off) > JUMP_M ? metres : marker.shown + off * EASE;
    marker.lane += (marker.wanted - marker.lane) * EASE;
    const foot = shape.at(marker.shown);
    const tag = shape.at(marker.shown, -BLUE_BAND_M - (FIRST_LANE_PX + marker.lane * LANE_PX) / scale);
    const [fx, fy, tx, ty] = [foot.x, foot.y, tag.x, tag.y].map((one) => (one * scale).toFixed(1));
    if (marker.at !== `${fx} ${fy} ${tx} ${ty}`) {
      marker.at = `${fx} ${fy} ${tx} ${ty}`;
      marker.stem.style.transform = `translate(${fx}px, ${fy}px) rotate(${Math.atan2(ty - fy, tx - fx)}rad) scale(${Math.hypot(tx - fx, ty - fy)}, 1)`;
      marker.dot.style.transform = `translate(${fx}px, ${fy}px)`;
      marker.label.style.transform = `translate(${tx}px, ${ty}px)`;
    }
    const kind = `${sure ? "" : "hollow"} ${group.dataset.selected === marker.node.dataset.bib ? "selected" : ""}`;
    if (marker.kind !== kind) {
      marker.kind = kind;
      marker.node.setAttribute("class", `marker ${marker.node.dataset.bib === DERNY ? "derny" : ""} ${kind}`);
    }
  }

  drawn.add(step);
  requestAnimationFrame(again);
}

/** Everybody's position now: bib (or "D" for the derny) → position. Exported for the tests. */
export function field(store, lengthM, nowUs) {
  const found = new Map();
  const now = store.current();
  const meet = store.get("meet");
  const heat = now?.heat;
  if (!heat || !meet || OVER.has(now.state)) return found;
  const dead = new Set((store.get("health")?.loops ?? []).filter((one) => one.condition === "dead").map((one) => one.loop));
  const pace = store.get(`heats/${heat}/pace`)?.pace;
  const loops = Object.entries(meet.loops).filter(([loop]) => !dead.has(loop)).map(([, metres]) => metres);
  const course = { lengthM, courseM: now.course_m, loops, clockSpeed: store.speed(), leastKmh: pace?.sections.at(-1)?.speed_kmh };
  const splits = store.get(`heats/${heat}/splits`)?.splits ?? [];
  pacer(found, store, heat, pace, splits, now, nowUs, course);
  if (WAITING.has(now.state)) return queue(found, store.get(`heats/${heat}/start`)?.starters ?? [], now.course_m, lengthM);
  const out = new Set((store.get(`heats/${heat}/start`)?.starters ?? []).filter((one) => ["DNS", "DNF", "DSQ"].includes(one.status)).map((one) => one.bib));
  for (const rider of splits) {
    const position = out.has(rider.bib) ? null : riderNow(rider.crossings, nowUs, now.start_us, course);
    if (position) found.set(rider.bib, position);
  }
  return found;
}

function pacer(found, store, heat, pace, splits, now, nowUs, course) {
  const reads = pacerReads(store.passings(), store.get("meet").loops, heat, pace, splits, now.start_us);
  const atExit = (pace?.sections.at(-1)?.to_m ?? 0) >= (pace?.paced_m ?? Infinity) - 0.01;
  const left = now.state === "finished" || (pace && pace.pull_off !== "awaited") || atExit;
  const position = now.state === "drawn" ? null : pacerNow(reads, nowUs, course, Boolean(left));
  if (position) found.set(DERNY, position);
}

/** On the start line they stand side by side, too close for any map: in drawn order one behind the other (`queue`). */
function queue(found, starters, courseM, lengthM) {
  const line = startLine(courseM, lengthM);
  const drawn = starters.filter((one) => one.status !== "DNS").sort((a, b) => a.draw - b.draw);
  drawn.forEach((one, i) => found.set(one.bib, { metres: mod(line - 0.6, lengthM), course: -2 * i, sure: true, queue: i }));
  return found;
}
