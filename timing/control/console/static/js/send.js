/**
 * A command to the core: POST /commands, answered after it is on disk.
 *
 * The reply is {accepted, reason, journal_id?, preview?, status, unknown}. `unknown` is true where no answer came:
 * the core may have taken it; `again()` sends it once more under the same id, which the core applies only once.
 */

const TIMEOUT_MS = 8000;

function newId(actor) {
  const random = [...crypto.getRandomValues(new Uint8Array(8))].map((byte) => byte.toString(16).padStart(2, "0"));
  const who =
    actor
      .normalize("NFKD")
      .replace(/[^A-Za-z0-9._=-]/g, "")
      .slice(0, 40) || "console";
  return `${who}:${random.join("")}`;
}

/**
 * The newest row of a heat's history on this screen. 0 while the history is not here yet: then nothing was seen, which is
 * not the same as not to be asked (null).
 */
export function seenNow(ctx, heat = ctx.store.current()?.heat ?? null) {
  return heat === null ? null : (ctx.store.heat("history", heat)?.last_row ?? 0);
}

export async function sendCommand(ctx, action, { heat, seen, preview = false, quiet = preview } = {}) {
  const current = ctx.store.current()?.heat ?? null;
  // An order of the race office is for no heat: null says so.
  const meant = heat !== undefined ? heat : action.type === "open_heat" ? action.heat : current;
  const request = {
    id: newId(ctx.actor),
    action,
    heat: meant,
    seen: seen === undefined ? seenNow(ctx, meant) : seen,
    preview,
  };
  if (ctx.link.lost) {
    if (!quiet) ctx.say("common.not_live_keys", {}, "bad");
    return { accepted: false, reason: ctx.t("common.not_live_keys"), status: 0, unknown: false };
  }
  return post(ctx, request, quiet);
}

async function post(ctx, request, quiet) {
  let answer;
  try {
    answer = await fetch("/commands", {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-CSRF-Token": ctx.csrf },
      body: JSON.stringify(request),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch {
    return tell(ctx, request, quiet, { accepted: false, reason: ctx.t("common.no_answer"), status: 0, unknown: true });
  }
  let reply;
  try {
    reply = await answer.json();
  } catch {
    reply = { reason: `HTTP ${answer.status}` };
  }
  const known = { accepted: false, reason: "", ...reply, status: answer.status, unknown: answer.status >= 500 };
  return tell(ctx, request, quiet, known);
}

function tell(ctx, request, quiet, reply) {
  if (reply.unknown) reply.again = () => post(ctx, request, quiet);
  ctx.unanswered = reply.unknown && !request.preview ? reply : null;
  if (!quiet) {
    if (reply.accepted)
      ctx.say("common.taken", { what: ctx.t(`common.action_${request.action.type}`), row: reply.journal_id });
    else if (reply.unknown) ctx.say("common.unknown_taken", { reason: reply.reason }, "bad");
    else
      ctx.say("common.refused", { what: ctx.t(`common.action_${request.action.type}`), reason: reply.reason }, "bad");
  }
  return reply;
}
