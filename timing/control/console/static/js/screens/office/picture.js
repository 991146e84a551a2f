/**
 * What the race office's screen reads out of the store: the competition shown, its riders, the round shown, and the
 * words for times and delays. `view` is the CompetitionView of topic `competitions/<id>`.
 */

import { h } from "../../dom.js";

export const PANELS = ["programme", "entries", "round", "advance", "classification", "communiques"];

const IN_WORK = new Set(["open", "composed", "start_list", "ridden"]);
const S_MS = 1000;
const MIN_MS = 60 * S_MS;
const HOUR_MS = 60 * MIN_MS;
const DAY_MS = 24 * HOUR_MS;

const entriesOf = new WeakMap();

/** The views of all competitions of the meet, in order of their ids. */
export function competitions(ctx) {
  return ctx.store.below("competitions/").map(([, payload]) => payload.view);
}

/** The competition on this screen; null while there is none. */
export function shownView(ctx) {
  const all = competitions(ctx);
  return all.find((one) => one.competition === ctx.ui.competition) ?? all[0] ?? null;
}

/** The entry of a bib; one that is in no list is its bib. */
export function entryOf(view, bib) {
  if (!entriesOf.has(view)) entriesOf.set(view, new Map(view.entries.map((one) => [one.entry.bib, one.entry])));
  return entriesOf.get(view).get(bib) ?? { bib, surname: "", given: "", name: bib, nation: null };
}

/** "KENNY Jason" with the surname standing out, for tables. */
export function nameView(ctx, entry) {
  if (!entry.surname) return ctx.format.name(entry);
  return [entry.surname.toUpperCase(), " ", h("span", { class: "given" }, entry.given ?? "")];
}

/** "4 KENNY Jason". */
export function called(ctx, view, bib) {
  return `${bib} ${ctx.format.name(entryOf(view, bib))}`;
}

/**
 * The round on this screen: the one that was looked up, else the one in work. Who goes on is looked at in the newest
 * round that has a result. Null before the first composition.
 */
export function shownRound(ctx, view) {
  const chosen = view.rounds.find((one) => one.round === ctx.ui.round);
  if (chosen !== undefined) return chosen;
  const inWork = view.rounds.find((one) => IN_WORK.has(one.state)) ?? view.rounds.at(-1) ?? null;
  if (ctx.ui.panel !== "advance" || inWork === null || inWork.going.length > 0) return inWork;
  return view.rounds.filter((one) => one.going.length > 0).at(-1) ?? inWork;
}

export function roundName(view, id) {
  return view.rounds.find((one) => one.round === id)?.name ?? id;
}

/** "Quarterfinals 2"; "Final A" for a heat with a name of its own. */
export function heatName(round, heat) {
  const several = round.heats.filter((one) => one.round_name === heat.round_name).length > 1;
  return several ? `${heat.round_name} ${heat.number}` : heat.round_name;
}

/** A delay with its sign: "+4:12", "−0:30", "+1:05:12", "+3 d"; null is a dash. */
export function delay(ms) {
  if (ms === null || ms === undefined) return "–";
  const whole = Math.trunc(Math.abs(ms) / S_MS) * S_MS;
  const sign = whole === 0 ? "±" : ms < 0 ? "−" : "+";
  if (whole >= 2 * DAY_MS) return `${sign}${Math.trunc(whole / DAY_MS)} d`;
  const two = (n) => String(n).padStart(2, "0");
  const minutes = Math.trunc((whole % HOUR_MS) / MIN_MS);
  const seconds = two(Math.trunc((whole % MIN_MS) / S_MS));
  const hours = Math.trunc(whole / HOUR_MS);
  return hours === 0 ? `${sign}${minutes}:${seconds}` : `${sign}${hours}:${two(minutes)}:${seconds}`;
}

/** Late, early or on time in words, with the delay. */
export function delayWords(ctx, ms) {
  if (ms === null || ms === undefined) return ctx.t("office.no_delay");
  if (Math.abs(ms) < MIN_MS) return ctx.t("office.on_time", { by: delay(ms) });
  return ctx.t(ms > 0 ? "office.late" : "office.early", { by: delay(ms) });
}

/** Time of day at the venue to the minute. */
export function minute(ctx, us, timezone) {
  return ctx.format.clock(us, timezone).slice(0, 5);
}

/** Day at the venue, in the reader's language: "Sun 8 Aug". */
export function day(ctx, us, timezone) {
  const parts = { weekday: "short", day: "numeric", month: "short", timeZone: timezone };
  return new Intl.DateTimeFormat(ctx.lang === "en" ? "en-GB" : ctx.lang, parts).format(new Date(us / 1000));
}

/** Words of the core, which speaks English: marked so where the screen has another language. */
export function coreWords(ctx) {
  return ctx.lang === "en" ? {} : { lang: "en" };
}
