/** What the core says, with the roles, states and sources in it in the reader's language too. */

const ROLES = new Set(["role", "by_role"]);
const SOURCES = new Set(["source", "source_before"]);

/** A sentence of a preview (`change`) or of an answer to why (`why`). */
export function said(ctx, namespace, sentence) {
  const params = {};
  for (const [name, value] of Object.entries(sentence.params ?? {})) params[name] = word(ctx, sentence.key, name, value);
  if (namespace === "change" && sentence.key === "alert") params.alert = nested(ctx, sentence.params);
  return ctx.told(namespace, { ...sentence, params });
}

/** An entry of the history; an undo says what it took back in the same language. */
export function entryText(ctx, entry, entries) {
  const target = entries.find((one) => one.id === entry.params?.target);
  const params = target === undefined ? entry.params : { ...entry.params, what: entryText(ctx, target, entries) };
  return ctx.told("history", { ...entry, params });
}

function word(ctx, key, name, value) {
  if (ROLES.has(name)) return ctx.t(`common.role_${value}`);
  if (SOURCES.has(name)) return ctx.t(`change.source_${value}`);
  if (key === "state") return ctx.t(`common.state_${value}`);
  return value;
}

/** An alert that a preview foresees carries that alert's own parameters beside its key. */
function nested(ctx, { alert, alert_key: key, ...params }) {
  return ctx.told("alerts", { key, params, text: alert });
}
