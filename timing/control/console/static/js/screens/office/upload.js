/**
 * An entry list out of a file: the server says how it reads it, the person looks, a second key takes it.
 *
 * `ui.upload` is {name, file, columns, busy, wrong, found}; `found` is what POST /office/entries answers:
 * {columns: {field: heading}, unused, problems, warnings: [{row, column, text}], entries}.
 */

import { h } from "../../dom.js";
import { show } from "./moving.js";
import { order } from "./orders.js";
import { coreWords, nameView } from "./picture.js";

const MOST_BYTES = 2 * 1024 * 1024;
const INPUT = "office-file";

/** Let the person choose a file, as a click on the field would. */
export function openFile() {
  document.getElementById(INPUT)?.click();
}

/** The field stands in the page for the key that opens it; nobody comes to it with Tab. */
export function fileField(ctx) {
  return h("input", {
    id: INPUT,
    key: INPUT,
    type: "file",
    class: "visually-hidden",
    tabindex: "-1",
    accept: ".csv,.tsv,.txt,.xlsx",
    "aria-label": ctx.t("office.upload"),
    onchange: (event) => {
      const [file] = event.target.files;
      // The same file again, mended, is a change too.
      event.target.value = "";
      event.target.blur();
      if (file) take(ctx, file);
    },
  });
}

function take(ctx, file) {
  show(ctx, "entries");
  ctx.ui.upload = { name: file.name, file, columns: {}, busy: false, wrong: "", found: null };
  if (file.size > MOST_BYTES) ctx.ui.upload.wrong = ctx.t("office.file_too_large");
  else read(ctx, ctx.ui.upload);
}

async function read(ctx, upload) {
  upload.busy = true;
  ctx.redraw();
  const asked = new URLSearchParams({ preview: "1", name: upload.name });
  for (const [field, heading] of Object.entries(upload.columns)) asked.append("column", `${field}=${heading}`);
  try {
    const answer = await fetch(`/office/entries?${asked}`, {
      method: "POST",
      headers: { "Content-Type": "application/octet-stream", "X-CSRF-Token": ctx.csrf },
      body: upload.file,
    });
    const told = await answer.json();
    upload.found = answer.ok ? told : null;
    upload.wrong = answer.ok ? "" : told.reason;
  } catch {
    upload.wrong = ctx.t("common.no_answer");
  }
  upload.busy = false;
  ctx.redraw();
}

export function uploadBindings(ctx, view) {
  const { upload } = ctx.ui;
  const { t } = ctx;
  const count = upload.found?.entries.length ?? 0;
  const replaces = view.entries.length > 0;
  return [
    {
      key: "Enter",
      id: "take",
      label: "office.take",
      params: { n: count },
      primary: !replaces,
      enabled: ctx.may("take_entries") && !upload.busy && count > 0,
      ...(replaces ? { danger: true, warn: () => t("office.take_warn", { n: count, before: view.entries.length }) } : {}),
      run: async () => {
        upload.busy = true;
        const reply = await order(ctx, "take_entries", { entries: upload.found.entries, source: upload.name });
        upload.busy = false;
        if (reply.accepted && ctx.ui.upload === upload) ctx.ui.upload = null;
        else upload.wrong = reply.reason;
        ctx.redraw();
      },
    },
    { key: "m", id: "column", label: "office.column", enabled: upload.found !== null, run: () => askColumn(ctx, upload) },
    { key: "u", id: "upload", label: "office.upload_other", run: openFile },
    { key: "Escape", id: "leave-upload", label: "office.leave_upload", run: () => (ctx.ui.upload = null) },
  ];
}

/** Another column than guessed: "bib=Dossard"; nothing after the sign means that the file has none. */
function askColumn(ctx, upload) {
  ctx.ask({
    label: ctx.t("office.column_which"),
    hint: () => ({ text: ctx.t("office.column_hint") }),
    submit: (text) => {
      const [field, ...heading] = text.split("=");
      if (heading.length === 0) return ctx.t("office.column_hint");
      upload.columns = { ...upload.columns, [field.trim()]: heading.join("=").trim() };
      return read(ctx, upload);
    },
  });
}

export function uploadView(ctx, view) {
  const { t } = ctx;
  const { upload } = ctx.ui;
  const found = upload.found;
  return h(
    "div",
    { class: "office-upload", key: "upload" },
    h("h2", null, "◌ ", t("office.upload_not_taken", { name: upload.name })),
    upload.busy ? h("p", { class: "soft" }, t("office.reading")) : null,
    upload.wrong ? h("p", { class: "card red", role: "alert" }, "✕ ", upload.wrong) : null,
    found ? [columns(ctx, found), told(ctx, found), preview(ctx, found, view)] : null,
  );
}

function columns(ctx, found) {
  const { t } = ctx;
  return h(
    "dl",
    { class: "columns", key: "columns", "aria-label": t("office.columns") },
    Object.entries(found.columns).map(([field, heading]) =>
      h("div", { key: field, "data-field": field }, h("dt", null, t(`office.field_${field}`)), h("dd", null, heading)),
    ),
    found.unused.length > 0
      ? h("div", { key: "unused", class: "unused" }, h("dt", null, t("office.unused")), h("dd", null, found.unused.join(", ")))
      : null,
  );
}

/** Problems first: with any of them nothing can be taken. */
function told(ctx, found) {
  const line = (one, kind, sign) =>
    h(
      "li",
      { key: `${kind}-${one.row}-${one.column}-${one.text}`, class: `card ${kind}`, "data-problem": one.row },
      sign,
      " ",
      h("strong", null, one.row === null ? ctx.t("office.whole_file") : ctx.t("office.file_row", { row: one.row })),
      " ",
      h("span", coreWords(ctx), [one.column, one.text].filter(Boolean).join(": ")),
    );
  return [
    found.problems.length > 0
      ? h("p", { class: "office-line bad", key: "count" }, "✕ ", ctx.t("office.problems", { n: found.problems.length }))
      : null,
    h(
      "ul",
      { class: "cards", key: "told" },
      found.problems.map((one) => line(one, "red", "✕")),
      found.warnings.map((one) => line(one, "amber", "▲")),
    ),
  ];
}

function preview(ctx, found, view) {
  const { t } = ctx;
  if (found.entries.length === 0) return null;
  const heading = (key, number) => h("th", { scope: "col", class: number ? "num" : null }, t(key));
  const known = new Set(view.entries.map((one) => one.entry.bib));
  return h(
    "div",
    { class: "scroll office-scroll", key: "preview", tabindex: "0", role: "region", "aria-label": t("office.preview") },
    h(
      "table",
      { class: "office-table upload-preview" },
      h(
        "thead",
        null,
        h(
          "tr",
          null,
          heading("office.bib", true),
          heading("office.rider"),
          heading("office.nation"),
          heading("office.ranking", true),
          heading("office.transponders"),
          heading("office.note"),
        ),
      ),
      h(
        "tbody",
        null,
        found.entries.map((one) =>
          h(
            "tr",
            { key: one.bib },
            h("td", { class: "num bib" }, one.bib),
            h("th", { scope: "row" }, nameView(ctx, one)),
            h("td", null, one.nation ?? ""),
            h("td", { class: "num" }, one.ranking ?? t("office.unranked")),
            h("td", { class: "soft transponders" }, (one.transponders ?? []).join(" ")),
            h("td", { class: "wide soft" }, known.size > 0 && !known.has(one.bib) ? t("office.new_entry") : ""),
          ),
        ),
      ),
    ),
  );
}
