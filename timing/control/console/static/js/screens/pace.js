/**
 * The pace: the derny's speed against its target curve, where it left, and the riders' distance behind it.
 * Live for the heat on the track, and afterwards for any attempt of any heat. It shows; it never decides.
 */

import { h } from "../dom.js";
import { heatTitle } from "../frame.js";
import { paceChart } from "./pace/chart.js";
import { atLastLoop, curveOf, kmh, pacedMarks, signed, startOf, toleranceOf, wordOf } from "./pace/curve.js";
import { marginsTable } from "./pace/margins.js";

const SIGNS = { fast: "▲", slow: "▼", in: "●" };
const VERDICTS = { awaited: "○", on_time: "✔", early: "✕", late: "✕", seen_again: "✕" };
const SPOKEN = new Set(["entry_speed", "exit_speed", "pull_off_early", "pull_off_late", "seen_again", "exit_unread", "pacer_unread"]);

export const screen = {
  id: "pace",
  title: "pace.title",
  roles: ["operator", "starter", "judge", "commissaire", "president"],
  view,
  side,
  bindings,
};

/** Everything that this screen shows of the chosen heat and attempt, or null while there is none. */
function shownPace(ctx) {
  const { store, ui } = ctx;
  const current = store.current();
  const heat = ui.heat ?? current?.heat ?? null;
  const message = heat === null ? undefined : store.heat("pace", heat);
  const meet = store.get("meet");
  if (!message || !meet) return null;
  const attempts = [...(message.earlier ?? []).map((one) => one.attempt), message.attempt];
  const attempt = attempts.includes(ui.attempt) ? ui.attempt : message.attempt;
  const earlier = (message.earlier ?? []).find((one) => one.attempt === attempt && attempt !== message.attempt);
  const pace = earlier?.pace ?? message.pace;
  const read = pace.margins[0] ?? store.heat("order", heat)?.orders[0];
  return {
    heat,
    attempt,
    attempts,
    pace,
    stopped: earlier?.reason ?? null,
    live: heat === current?.heat && attempt === message.attempt,
    curve: curveOf(meet, pace),
    tolerance: toleranceOf(meet),
    marks: pacedMarks(meet, startOf(meet, read), pace.paced_m),
    lapM: meet.track_length_m,
    starters: store.heat("start", heat)?.starters ?? [],
  };
}

function heatsRun(ctx) {
  return (ctx.store.get("meet")?.heats ?? []).map((one) => one.heat).filter((heat) => ctx.store.heat("pace", heat));
}

function bindings(ctx) {
  const shown = shownPace(ctx);
  const heats = heatsRun(ctx);
  const at = heats.indexOf(shown?.heat);
  const tries = shown?.attempts ?? [];
  const tryAt = tries.indexOf(shown?.attempt);
  const choose = (heat, attempt = null) => {
    ctx.ui.heat = heat === ctx.store.current()?.heat ? null : heat;
    ctx.ui.attempt = attempt;
  };
  return [
    { key: "PageUp", id: "heat-before", label: "pace.heat_before", enabled: at > 0, run: () => choose(heats[at - 1]) },
    { key: "PageDown", id: "heat-after", label: "pace.heat_after", enabled: at >= 0 && at < heats.length - 1, run: () => choose(heats[at + 1]) },
    { key: "ArrowUp", id: "attempt-before", label: "pace.attempt_before", enabled: tryAt > 0, run: () => choose(shown.heat, tries[tryAt - 1]) },
    { key: "ArrowDown", id: "attempt-after", label: "pace.attempt_after", enabled: tryAt < tries.length - 1, run: () => choose(shown.heat, tries[tryAt + 1]) },
    { key: "l", id: "live", label: "pace.to_live", enabled: shown !== null && !shown.live, run: () => choose(ctx.store.current()?.heat) },
    { key: "m", id: "unit", label: ctx.ui.unit === "s" ? "pace.in_metres" : "pace.in_seconds", run: () => (ctx.ui.unit = ctx.ui.unit === "s" ? "m" : "s") },
  ];
}

function view(ctx) {
  const shown = shownPace(ctx);
  if (!shown) return h("div", { class: "pace" }, h("p", { class: "pace-none" }, ctx.t("pace.none")));
  return h(
    "div",
    { class: "pace", "data-heat": shown.heat, "data-attempt": shown.attempt },
    heading(ctx, shown),
    figures(ctx, shown),
    h("div", { class: "pace-plot", key: "plot", ref: (node) => measure(ctx, node) }, paceChart(ctx, shown, ...(ctx.ui.size ?? [900, 320]))),
    marginsTable(ctx, shown, shown.starters),
  );
}

/** The chart is drawn in the pixels that it has, so that its letters keep their size. */
function measure(ctx, node) {
  new ResizeObserver(([entry]) => {
    const { width, height } = entry.contentRect;
    const size = [Math.max(320, Math.round(width)), Math.max(160, Math.round(height))];
    if (String(size) === String(ctx.ui.size)) return;
    ctx.ui.size = size;
    ctx.redraw();
  }).observe(node);
}

function heading(ctx, shown) {
  const { t } = ctx;
  const planned = ctx.store.get("meet").heats.find((one) => one.heat === shown.heat);
  return h(
    "p",
    { class: `pace-heading${shown.live ? "" : " elsewhere"}`, key: "heading" },
    h("strong", null, planned ? heatTitle(ctx, planned) : shown.heat),
    " ",
    h("span", null, t("pace.attempt", { number: shown.attempt, of: shown.attempts.length })),
    " ",
    shown.live ? null : h("span", { class: "chip amber" }, "⚠ ", t("pace.not_the_present")),
    shown.stopped ? h("span", null, " ", t("pace.stopped", { reason: shown.stopped })) : null,
  );
}

function figures(ctx, shown) {
  const { t, format } = ctx;
  const now = atLastLoop(shown.pace, shown.curve, shown.tolerance);
  const word = now ? wordOf(now.deviation, now.band) : "in";
  const { pull_off: verdict, exit_kmh: exit, predicted_exit_kmh: predicted } = shown.pace;
  const over = exit !== null && exit !== undefined && verdict !== "awaited";
  return h(
    "div",
    { class: "pace-figures", key: "figures" },
    figure(t(over ? "pace.speed_at_exit" : "pace.speed"), kmh(over ? exit : now?.speed), t("pace.kmh"), "main"),
    figure(t("pace.target"), kmh(now?.target), t("pace.kmh"), ""),
    figure(t("pace.deviation"), now ? signed(now.deviation) : format.NOTHING, now ? `${SIGNS[word]} ${t(`pace.${word}`)}` : "", now?.band ?? ""),
    figure(t("pace.predicted"), kmh(over ? exit : predicted), t("pace.aim", { speed: shown.pace.target_exit_kmh }), ""),
    figure(t("pace.to_exit"), now ? String(Math.round(now.left)) : String(shown.pace.paced_m), t("pace.metres"), ""),
  );
}

function figure(label, value, below, kind) {
  return h(
    "div",
    { class: `pace-figure ${kind}` },
    h("span", { class: "figure-label" }, label),
    h("span", { class: "pace-value num" }, value),
    h("span", { class: "pace-below" }, below),
  );
}

function side(ctx) {
  const shown = shownPace(ctx);
  if (!shown) return null;
  const { t } = ctx;
  const { pace } = shown;
  const red = !["awaited", "on_time"].includes(pace.pull_off);
  return [
    h("h2", { key: "title" }, t("pace.findings")),
    ahead(ctx, pace),
    pace.findings
      .filter((one) => SPOKEN.has(one.what))
      .map((one) => h("div", { class: "card amber", key: `f-${one.what}`, "data-finding": one.what }, "⚠ ", finding(ctx, one, pace))),
    h(
      "div",
      { class: `card pace-verdict ${red ? "amber" : ""}`, key: "verdict", "data-verdict": pace.pull_off },
      h("strong", null, `${VERDICTS[pace.pull_off] ?? ""} ${t(`pace.pull_off_${pace.pull_off}`)}`),
      h("p", null, where(ctx, pace)),
    ),
    pace.compliant ? h("div", { class: "card", key: "compliant" }, "✔ ", t("pace.compliant")) : null,
    h("p", { class: "soft pace-rule", key: "rule" }, t("pace.rule")),
  ];
}

function finding(ctx, one, pace) {
  const params = {
    value: one.what.includes("speed") ? kmh(one.value) : Math.round(one.value * 10) / 10,
    limit: one.limit,
    difference: one.what.includes("speed") ? signed(one.value - one.limit) : Math.abs(Math.round((one.limit - one.value) * 10) / 10),
    predicted: kmh(pace.predicted_exit_kmh),
  };
  return ctx.t(`pace.finding_${one.what}`, params);
}

/** Each rider who was ahead once, at the worst loop, until a commissaire rules: UCI 3.2.140. */
function ahead(ctx, pace) {
  const worst = new Map();
  for (const one of pace.riders_ahead) if (!worst.has(one.bib) || worst.get(one.bib).margin_m > one.margin_m) worst.set(one.bib, one);
  return [...worst.values()].map((one) =>
    h(
      "div",
      { class: "card red", key: `a-${one.bib}`, "data-ahead": one.bib },
      "✕ ",
      ctx.t("pace.rider_ahead", { bib: one.bib, loop: one.loop, metres: one.distance_m, by: Math.abs(one.margin_m).toFixed(2), ms: Math.abs(one.margin_ms) }),
    ),
  );
}

function where(ctx, pace) {
  if (pace.pull_off === "awaited") return ctx.t("pace.leaves_at", { metres: pace.paced_m });
  if (pace.pull_off_before_m === null) return ctx.t("pace.last_read", { metres: pace.pull_off_m });
  return ctx.t("pace.left_between", { from: pace.pull_off_m, to: pace.pull_off_before_m });
}
