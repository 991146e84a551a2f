/** The judge's line at the bottom: reads as it is typed, and goes to its effect before it goes to the core. */

import { nameOf, part, riderOf } from "../ruling/heat.js";
import { propose } from "../ruling/pending.js";
import { readPlaceLine, writePlaceLine } from "./place_line.js";

/** Who has one of these codes is not missed in the line: no place, or the last one whatever the line says. */
const EXCUSED = new Set(["REL", "DNF", "DNS", "DSQ"]);

export function askPlaces(ctx) {
  const { t } = ctx;
  ctx.ask({
    label: t("finish.place_line"),
    value: writePlaceLine(orderNow(ctx)),
    hint: (line) => reading(ctx, read(ctx, line)),
    submit: (line) => {
      const found = read(ctx, line);
      if (!found.ready) return reading(ctx, found)?.text ?? t("finish.fault_empty");
      const title = t("finish.judged_order", { order: orderWords(ctx, found) });
      // Not waited for: the line closes at once, and keys then belong to the order that waits for Enter.
      propose(ctx, { type: "place", order: found.groups }, title);
      return undefined;
    },
  });
}

/** The order as it stands, to be corrected: the judge's, else the camera's, else the transponders'. */
function orderNow(ctx) {
  const finish = part(ctx, "finish")?.finish;
  if (!finish) return [];
  if (finish.judged.length > 0) return finish.judged;
  const place = new Map((part(ctx, "result")?.results ?? []).map((line) => [line.bib, line.status === null ? line.place : null]));
  const bibs = finish.photo_finish.length > 0 ? finish.photo_finish : finish.transponder.map((entry) => entry.bib);
  const groups = [];
  for (const bib of bibs) {
    const shared = groups.at(-1)?.[0];
    const tied = shared !== undefined && place.get(bib) !== null && place.get(shared) === place.get(bib);
    if (tied) groups.at(-1).push(bib);
    else groups.push([bib]);
  }
  return groups;
}

function read(ctx, line) {
  const results = part(ctx, "result")?.results ?? [];
  const bibs = (part(ctx, "start")?.starters ?? []).map((one) => one.bib);
  const without = results.filter((one) => EXCUSED.has(one.status)).map((one) => one.bib);
  const firstPlace = results.find((one) => one.place !== null)?.place ?? 1;
  return readPlaceLine(line, bibs, { without, firstPlace });
}

/** How the line reads, or the first thing that is wrong with it. */
function reading(ctx, found) {
  const { t } = ctx;
  if (found.faults.length > 0) {
    const [fault] = found.faults;
    return { text: t(fault.key, fault.params), bad: true };
  }
  if (found.groups.length === 0) return { text: t("finish.place_how") };
  const missing = found.missing.length > 0 ? ` · ⚠ ${t("finish.missing", { bibs: found.missing.join(", ") })}` : "";
  return { text: orderWords(ctx, found) + missing };
}

/** "1. HELAL (1) · 2= LEVY (2), BROWNE (3)": an equals sign is a dead heat. */
function orderWords(ctx, found) {
  const rider = (bib) => `${shortName(ctx, bib)} (${bib})`;
  return found.places
    .map(({ place, bibs }) => `${place}${bibs.length > 1 ? "=" : "."} ${bibs.map(rider).join(", ")}${tied(ctx, bibs)}`)
    .join(" · ");
}

function shortName(ctx, bib) {
  return riderOf(ctx, bib).surname?.toUpperCase() || nameOf(ctx, bib);
}

function tied(ctx, bibs) {
  return bibs.length > 1 ? ` ${ctx.t("finish.dead_heat")}` : "";
}
