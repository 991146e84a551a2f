/** The steps of a decision: rider, code, reason of the rule book, effect, Enter. Pure: no screen, no wire. */

export const WARNING = "W";

/** Keys of the decisions, in order of their weight: what the key does, and how a sentence says it. */
export const DECISIONS = [
  { key: "y", code: WARNING, label: "commissaire.warn", ruled: "commissaire.ruled_W" },
  { key: "r", code: "REL", label: "commissaire.relegate", ruled: "commissaire.ruled_REL" },
  { key: "d", code: "DSQ", label: "commissaire.disqualify", ruled: "commissaire.ruled_DSQ" },
  { key: "f", code: "DNF", label: "commissaire.dnf", ruled: "commissaire.ruled_DNF" },
  { key: "n", code: "DNS", label: "commissaire.dns", ruled: "commissaire.ruled_DNS" },
];

/** How a sentence says a code; the code itself where the rule book has one of its own. */
export function ruledWords(code, t) {
  const known = DECISIONS.find((one) => one.code === code);
  return known === undefined ? code : t(known.ruled);
}

/** Codes that state a fact: they need no article and go straight to their effect. */
const FACTS = new Set(["DNF", "DNS"]);

/** The decisions that the rule book knows; a warning is always one (UCI 3.2.013). */
export function offeredDecisions(codes) {
  const known = new Set([WARNING, ...codes.map((one) => one.code)]);
  return DECISIONS.filter((one) => known.has(one.code));
}

/** Reasons of the rule book for a code: those that name it first, in the book's order. */
export function reasonsFor(reasons, code) {
  const named = reasons.filter((one) => one.default_code === code);
  return [...named, ...reasons.filter((one) => one.default_code !== code)];
}

/** Begin a decision on a rider: the list of reasons, or at once the effect where the code is a plain fact. */
export function beginDecision(bib, code) {
  const step = FACTS.has(code) ? "effect" : "reason";
  return { step, bib, code, cursor: 0, article: "", reason: "", order: null };
}

/** Begin the disqualification that the second warning or third relegation of an event proposes (UCI 3.2.013). */
export function beginProposed(bib, reasons) {
  const article = "3.2.013";
  const reason = reasons.find((one) => one.article === article);
  const begun = beginDecision(bib, "DSQ");
  return { ...begun, step: "effect", article, reason: reason?.text ?? "" };
}

/** The reason was chosen (or typed, then without an article). */
export function withReason(flow, { article = "", text }) {
  return { ...flow, step: "effect", article, reason: text.trim() };
}

/** The command of a decision. */
export function decisionAction(flow) {
  const action = { type: "decide", bib: flow.bib, code: flow.code, reason: flow.reason, article: flow.article };
  return flow.order === null ? action : { ...action, order: flow.order };
}

/** Riders relegated in this heat already: with another one their order has to be said (no article gives it). */
export function relegatedBefore(decisions, bib) {
  return [...new Set(decisions.filter((one) => one.code === "REL" && one.bib !== bib).map((one) => one.bib))];
}

/** The next order among several relegated: behind all of them (null), then first, second … and behind all again. */
export function nextOrder(order, relegated, step) {
  const choices = [null, ...Array.from({ length: relegated }, (_, index) => index + 1)];
  const at = choices.indexOf(order);
  return choices[(at + step + choices.length) % choices.length];
}
