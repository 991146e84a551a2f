/** The communiqués: what can be issued, what was issued under which number, corrections, and the printed documents. */

import { h } from "../../dom.js";
import { arrows, chosen, row } from "./moving.js";
import { order, settled, withReason } from "./orders.js";
import { heatName } from "./picture.js";

const FINAL_LISTS = new Set(["start_list", "ridden", "closed"]);
const RESULTS = new Set(["provisional", "official"]);

/**
 * What can be issued about a competition, in the order of the programme: {id, kind, subject, name, numbers}. `numbers`
 * are those under which it was issued before.
 */
export function issuable(view, issued) {
  const found = [];
  const add = (kind, subject, name, status = "") => {
    const same = issued.filter((one) => one.competition === view.competition && one.kind === kind && one.subject === subject);
    found.push({ id: `${kind}:${subject}`, kind, subject, name, status, numbers: same.map((one) => one.number) });
  };
  for (const round of view.rounds) {
    if (FINAL_LISTS.has(round.state)) add("start_list", round.round, round.name);
    for (const heat of round.heats) if (RESULTS.has(heat.status)) add("result", heat.heat, heatName(round, heat), heat.status);
    if (round.state === "closed") add("round", round.round, round.name);
    if (round.heats.some((heat) => RESULTS.has(heat.status))) add("decisions", round.round, round.name);
  }
  if (view.classification.length > 0) add("classification", "", view.name);
  return found;
}

const allIssued = (ctx) => ctx.store.get("communiques")?.issued ?? [];

function rows(ctx, view) {
  const issued = allIssued(ctx);
  const offered = issuable(view, issued);
  // What people wait for stands first: without a number, the newest; decisions and a classification in work behind.
  const weight = (one) =>
    one.numbers.length > 0 ? 3 : one.kind === "decisions" ? 2 : one.kind === "classification" && !view.final ? 1 : 0;
  const open = offered.reverse().sort((a, b) => weight(a) - weight(b));
  return { open, issued: [...issued].reverse() };
}

export function communiquesBindings(ctx, view) {
  const { open, issued } = rows(ctx, view);
  const list = shownList(ctx);
  const one = newestDocument(ctx, issued);
  return [
    issueBinding(ctx, view),
    correctBinding(ctx, issued),
    {
      key: "p",
      id: "print",
      label: "office.print",
      enabled: one !== null,
      run: () => window.open(documentPath(one), "_blank", "noopener"),
    },
    ...arrows(ctx, list, list === "open" ? open.map((item) => item.id) : issued.map((item) => String(item.number))),
    { key: "ArrowRight", id: "list-issued", label: "office.to_issued", bar: false, run: () => (ctx.ui.communiques = "issued") },
    { key: "ArrowLeft", id: "list-open", label: "office.to_issuable", bar: false, run: () => (ctx.ui.communiques = "open") },
  ];
}

const shownList = (ctx) => (ctx.ui.communiques === "issued" ? "issued" : "open");

/** A number is never reused: the second key gives it out. */
export function issueBinding(ctx, view) {
  const { open } = rows(ctx, view);
  const item = open.find((one) => one.id === chosen(ctx, "open", open.map((each) => each.id)));
  const what = item ? named(ctx, item.kind, item.name) : "";
  return settled(ctx, {
    key: "i",
    id: "issue",
    label: "office.issue",
    params: { what },
    enabled: ctx.may("issue_communique") && item !== undefined,
    warn: () => ctx.t(item.numbers.length === 0 ? "office.issue_warn" : "office.issue_again_warn", { what, numbers: item.numbers.join(", ") }),
    seen: () => [item.id, allIssued(ctx).length],
    act: () => order(ctx, "issue_communique", { kind: item.kind, subject: item.subject }),
  });
}

function correctBinding(ctx, issued) {
  const number = chosen(ctx, "issued", issued.map((one) => String(one.number)));
  const one = issued.find((each) => String(each.number) === number);
  return {
    key: "x",
    id: "correct",
    label: "office.correct",
    params: { number },
    enabled: ctx.may("issue_communique") && one !== undefined,
    run: () =>
      withReason(ctx, {
        label: ctx.t("office.correct_why", { number }),
        type: "issue_communique",
        fields: { competition: one.competition, kind: one.kind, subject: one.subject, corrects: one.number },
        danger: true,
        warn: (reason) => ctx.t("office.correct_warn", { number, reason: reason.trim() }),
      }),
  };
}

// -- documents ----------------------------------------------------------------------------------------------

/** Which documents are printed: asked when the panel is opened and when a number was given out. */
export function lookForDocuments(ctx) {
  const count = allIssued(ctx).length;
  if (ctx.ui.documents?.count === count) return;
  ctx.ui.documents = { ...ctx.ui.documents, count };
  fetchDocuments(ctx, count);
}

async function fetchDocuments(ctx, count) {
  let told;
  try {
    const answer = await fetch("/office/communiques");
    told = answer.ok ? await answer.json() : { folder: false, documents: [], reason: (await answer.json()).reason };
  } catch {
    told = { folder: false, documents: [], reason: ctx.t("common.no_answer") };
  }
  if (ctx.ui.documents.count === count) ctx.ui.documents = { count, ...told };
  ctx.redraw();
}

const documentsOf = (ctx, number) => (ctx.ui.documents?.documents ?? []).filter((one) => one.number === number);

const documentPath = (one) => `/office/communiques/${one.number}.${one.format}`;

/** The document that `p` opens: of the chosen number, to print. */
function newestDocument(ctx, issued) {
  const number = Number(chosen(ctx, "issued", issued.map((one) => String(one.number))));
  const found = documentsOf(ctx, number);
  return found.find((one) => one.format === "pdf") ?? found[0] ?? null;
}

// -- what is shown ------------------------------------------------------------------------------------------

function named(ctx, kind, name) {
  return ctx.t(`office.kind_${kind}`, { name });
}

export function communiquesView(ctx, view) {
  const { t } = ctx;
  lookForDocuments(ctx);
  const { open, issued } = rows(ctx, view);
  const names = new Map(open.map((one) => [one.id, one.name]));
  return h(
    "div",
    { class: "communiques", key: "communiques" },
    listView(ctx, "open", t("office.issuable"), open.map((one) => openRow(ctx, one, isHere(ctx, "open", open, one)))),
    listView(ctx, "issued", t("office.issued"), issued.map((one) => issuedRow(ctx, one, names, isHere(ctx, "issued", issued, one)))),
    h("p", { class: "soft documents-note", key: "note" }, note(ctx)),
  );
}

function note(ctx) {
  const { documents } = ctx.ui;
  if (documents?.reason) return `✕ ${documents.reason}`;
  return documents?.folder === false ? ctx.t("office.no_folder") : ctx.t("office.print_how");
}

const idOf = (one) => one.id ?? String(one.number);

const isHere = (ctx, list, items, one) => chosen(ctx, list, items.map(idOf)) === idOf(one);

function listView(ctx, list, title, items) {
  const active = shownList(ctx) === list;
  return h(
    "section",
    { class: active ? "panel active" : "panel", key: list, "data-list": list },
    h("h2", null, h("kbd", null, list === "open" ? "←" : "→"), " ", title),
    items.length === 0
      ? h("p", { class: "empty" }, ctx.t(`office.none_${list}`))
      : h("ul", { class: "scroll office-rows", tabindex: "0", "aria-label": title, role: "list" }, items),
  );
}

function openRow(ctx, one, here) {
  const numbers = one.numbers.length === 0 ? "" : ctx.t("office.issued_as", { numbers: one.numbers.join(", ") });
  return h(
    "li",
    row(ctx, "open", one.id, here),
    h("span", { class: "sign", "aria-hidden": "true" }, here ? "▸" : ""),
    h("span", { class: "what" }, named(ctx, one.kind, one.name)),
    h("span", { class: "soft" }, one.status === "provisional" ? `◐ ${ctx.t("common.status_provisional")} ` : "", numbers),
  );
}

function issuedRow(ctx, one, names, here) {
  const timezone = ctx.store.get("schedule")?.timezone ?? ctx.store.get("meet")?.timezone;
  const name = names.get(`${one.kind}:${one.subject}`) ?? one.subject;
  return h(
    "li",
    row(ctx, "issued", String(one.number), here),
    h("span", { class: "sign", "aria-hidden": "true" }, here ? "▸" : ""),
    h("strong", { class: "num number" }, one.number),
    h(
      "span",
      { class: "what" },
      named(ctx, one.kind, name),
      one.corrects === null ? null : h("em", null, " ⟲ ", ctx.t("office.corrects", { number: one.corrects, reason: one.reason })),
    ),
    h("span", { class: "soft num" }, ctx.format.clock(one.at_us, timezone)),
    h("span", { class: "soft actor" }, one.actor),
    h(
      "span",
      { class: "links-here" },
      documentsOf(ctx, one.number).map((each) =>
        h("a", { key: each.format, href: documentPath(each), target: "_blank", rel: "noopener" }, each.format.toUpperCase()),
      ),
    ),
  );
}
