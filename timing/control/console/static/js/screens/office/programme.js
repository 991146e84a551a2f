/** The programme: planned, actual and expected starts at the venue's time, the running delay, what comes next. */

import { h } from "../../dom.js";
import { day, delay, delayWords, minute } from "./picture.js";

export function programmeView(ctx) {
  const { t } = ctx;
  const schedule = ctx.store.get("schedule");
  if (!schedule?.lines?.length) return h("p", { class: "empty" }, t("office.no_programme"));
  const heading = (key, number) => h("th", { scope: "col", class: number ? "num" : null }, t(key));
  return [
    h(
      "p",
      { class: "office-delay", key: "delay", "data-delay": schedule.delay_ms },
      h("strong", null, delayWords(ctx, schedule.delay_ms)),
      " ",
      h("span", { class: "soft" }, t("office.venue_time", { timezone: schedule.timezone })),
    ),
    h(
      "div",
      { class: "scroll office-scroll", key: "programme", tabindex: "0", "aria-label": t("office.panel_programme"), role: "region" },
      h(
        "table",
        { class: "office-table programme" },
        h(
          "thead",
          null,
          h(
            "tr",
            null,
            h("th", { scope: "col" }, h("span", { class: "visually-hidden" }, t("office.state"))),
            heading("office.heat"),
            heading("office.planned", true),
            heading("office.actual", true),
            heading("office.expected", true),
            heading("office.delay", true),
            heading("office.state"),
          ),
        ),
        blocks(ctx, schedule),
      ),
    ),
  ];
}

/** The heats of each session under its name; those of none come last under no name. */
function blocks(ctx, schedule) {
  const ids = [...schedule.sessions.map((one) => one.id), ""];
  return ids
    .map((id) => ({
      session: schedule.sessions.find((one) => one.id === id),
      lines: schedule.lines.filter((line) => line.session === id),
    }))
    .filter((one) => one.lines.length > 0)
    .map(({ session, lines }) =>
      h(
        "tbody",
        { key: session?.id ?? "none" },
        session ? sessionRow(ctx, session, schedule.timezone) : null,
        lines.map((line) => heatRow(ctx, line, schedule)),
      ),
    );
}

function sessionRow(ctx, session, timezone) {
  const when = `${day(ctx, session.starts_us, timezone)}, ${minute(ctx, session.starts_us, timezone)}`;
  return h(
    "tr",
    { class: "session", key: "session" },
    h("th", { scope: "rowgroup", colspan: "7" }, session.name, " ", h("span", { class: "soft num" }, when)),
  );
}

function heatRow(ctx, line, schedule) {
  const next = schedule.next.indexOf(line.heat);
  const state = line.over ? "over" : line.started_us ? "started" : next === 0 ? "next" : next > 0 ? "soon" : "waiting";
  const sign = { over: "✔", started: "▶", next: "▸", soon: "·", waiting: "" }[state];
  const time = (us) => minute(ctx, us, schedule.timezone);
  return h(
    "tr",
    {
      key: line.heat,
      "data-heat": line.heat,
      class: state === "next" ? "next" : null,
      // The day before yesterday's heats are above: begin with what comes.
      ref: state === "next" ? (node) => requestAnimationFrame(() => node.scrollIntoView({ block: "center" })) : null,
    },
    h("td", { class: "sign", "aria-hidden": "true" }, sign),
    h("th", { scope: "row" }, line.name),
    h("td", { class: "num" }, time(line.planned_us)),
    h("td", { class: "num" }, line.started_us ? ctx.format.clock(line.started_us, schedule.timezone) : "–"),
    h("td", { class: "num" }, line.started_us ? "–" : time(line.expected_us)),
    h("td", { class: "num" }, delay(line.delay_ms)),
    h("td", null, ctx.t(`office.heat_${state}`)),
  );
}
