/** The strip of boxes: each with the word and sign of its state, clock ±, noise, battery, and when it last spoke. */

import { h } from "../../dom.js";

const STATES = {
  live: ["●", "ok"],
  silent: ["◐", "amber"],
  connecting: ["…", "quiet"],
  unknown: ["○", "quiet"],
  lost: ["✕", "red"],
  backing_off: ["✕", "red"],
};

export function deviceStrip(ctx) {
  const devices = ctx.store.below("devices/");
  return ctx.memo(
    "devices",
    devices.map(([, message]) => message),
    () =>
      h(
        "section",
        { class: "devices", key: "devices", "aria-label": ctx.t("operator.devices") },
        h(
          "ul",
          null,
          devices.map(([id, message]) => box(ctx, id, message)),
        ),
      ),
  );
}

function box(ctx, id, message) {
  const { device, trends } = message;
  const [sign, kind] = STATES[device.state] ?? STATES.unknown;
  const facts = [
    clockFact(ctx, message),
    noiseFact(ctx, trends?.noise ?? device.noise),
    supplyFact(ctx, trends?.supply_mv ?? device.supply_mv),
    gapFact(ctx, device),
  ];
  const more = [device.reason, device.advice, ...(trends?.warnings ?? []), message.clock_warning]
    .filter(Boolean)
    .join(" · ");
  return h(
    "li",
    { key: id, class: `box ${kind}`, "data-device": id, title: more || null },
    h(
      "p",
      { class: "box-name" },
      h("b", null, id),
      " ",
      h(
        "span",
        { class: "box-state" },
        h("span", { "aria-hidden": "true" }, sign),
        " ",
        ctx.t(`operator.device_${device.state}`),
      ),
    ),
    h(
      "p",
      { class: "box-facts" },
      facts.filter(Boolean),
      device.last_passing_us
        ? h("span", { class: "num", key: "ago", "data-ago": device.last_passing_us })
        : h("span", { key: "none" }, ctx.t("operator.no_passing")),
    ),
  );
}

/** A row of the list of boxes: all that is known of one, in sentences. */
export function boxDetail(ctx, { id, message }) {
  const { device, trends } = message;
  const [sign, kind] = STATES[device.state] ?? STATES.unknown;
  const sentences = [
    device.reason,
    device.advice && `→ ${device.advice}`,
    message.clock_warning,
    ...(trends?.warnings ?? []),
    device.last_error,
  ];
  return [
    h("span", { class: `row-sign ${kind}`, "aria-hidden": "true" }, sign),
    h(
      "span",
      { class: "row-main wrap" },
      h("b", null, id),
      " ",
      ctx.t(`operator.device_${device.state}`),
      h(
        "span",
        { class: "row-soft" },
        ` · ${device.protocol} · ${ctx.t("operator.passings_count", { n: device.passings, count: device.passings })}${device.errors ? ` · ${ctx.t("operator.errors_count", { n: device.errors, count: device.errors })}` : ""}`,
      ),
      sentences.filter(Boolean).map((text, i) => h("span", { class: "sentence", key: i }, text)),
    ),
  ];
}

function clockFact(ctx, message) {
  const ms = message.clock_uncertainty_us / 1000;
  const warn = Boolean(message.clock_warning);
  if (!message.clock_uncertainty_us) return null;
  const shown = ms < 10 ? ms.toFixed(1) : ms < 10_000 ? String(Math.round(ms)) : "≫";
  return h("span", { key: "clock", class: warn ? "num warn" : "num" }, warn ? "▲ " : "", `±${shown} ms`);
}

function noiseFact(ctx, noise) {
  if (noise === null || noise === undefined) return null;
  const warn = noise >= 40;
  return h(
    "span",
    { key: "noise", class: warn ? "num warn" : "num" },
    warn ? "▲ " : "",
    ctx.t("operator.noise", { noise }),
  );
}

function supplyFact(ctx, millivolts) {
  if (!millivolts) return null;
  const low = millivolts >= 6000 && millivolts < 10_500;
  return h(
    "span",
    { key: "supply", class: low ? "num warn" : "num" },
    low ? "▲ " : "",
    `${(millivolts / 1000).toFixed(1)} V`,
  );
}

function gapFact(ctx, device) {
  return device.gaps_open
    ? h(
        "span",
        { key: "gaps", class: "warn" },
        "▲ ",
        ctx.t("operator.gaps", { n: device.gaps_open, count: device.gaps_open }),
      )
    : null;
}
