/**
 * What is typed in the input line, read while it is typed. Each reader gives either what it understood or
 * {wrong: text key, params}. Nothing here sends anything.
 */

const DAY_US = 86_400_000_000;

function wrong(key, params = {}) {
  return { wrong: `operator.${key}`, params };
}

function words(text) {
  return text.trim().split(/\s+/).filter(Boolean);
}

function readBib(bib, starters) {
  if (starters.some((one) => one.bib === bib)) return null;
  return wrong("wrong_bib", { bib, known: starters.map((one) => one.bib).join(" ") });
}

/** A loop by its name or the beginning of it, or by its number round the track from 1. */
function readLoop(text, loops) {
  const names = Object.keys(loops).sort((a, b) => loops[a] - loops[b]);
  if (/^\d+$/.test(text) && !names.includes(text)) return names[Number(text) - 1] ?? null;
  const found = names.includes(text) ? [text] : names.filter((name) => name.startsWith(text.toLowerCase()));
  return found.length === 1 ? found[0] : null;
}

/**
 * An instant in UTC µs: "" is `now`, "-2.5" seconds before it, "1:12.345" or "72.345" after the gun, "14:03:22.481"
 * the time of day. `dayUs` is the µs since the venue's midnight at `now`. Null when it cannot be read.
 */
export function readTime(text, { now, startUs, dayUs }) {
  if (text === undefined || text === "") return now;
  const parts = /^(-)?(?:(?:(\d{1,2}):)?(\d{1,2}):)?(\d{1,5})(?:[.,](\d{1,6}))?$/.exec(text);
  if (!parts) return null;
  const [, minus, hours, minutes, seconds, decimals = ""] = parts;
  const us =
    (Number(hours ?? 0) * 3600 + Number(minutes ?? 0) * 60 + Number(seconds)) * 1_000_000 +
    Number(decimals.padEnd(6, "0"));
  if (minus) return hours || minutes ? null : now - us;
  if (hours === undefined) return startUs === null || startUs === undefined ? null : startUs + us;
  let away = us - dayUs;
  if (away > DAY_US / 2) away -= DAY_US;
  if (away < -DAY_US / 2) away += DAY_US;
  return now + away;
}

/** "4 finish", "4 back -2.5": {bib, loop, at_us}. */
export function readManual(text, { starters, loops, ...times }) {
  const [bib, loop, time] = words(text);
  if (!bib) return wrong("how_manual");
  const unknown = readBib(bib, starters);
  if (unknown) return unknown;
  const names = Object.keys(loops).sort((a, b) => loops[a] - loops[b]);
  if (!loop) return wrong("how_loop", { loops: names.join(" ") });
  const where = readLoop(loop, loops);
  if (!where) return wrong("wrong_loop", { loop, loops: names.join(" ") });
  const atUs = readTime(time, times);
  if (atUs === null) return wrong("wrong_time", { time });
  return { bib, loop: where, at_us: atUs };
}

/** "4 1234567": {bib, transponder}. */
export function readSwap(text, { starters }) {
  const [bib, transponder] = words(text);
  if (!bib) return wrong("how_swap");
  return readBib(bib, starters) ?? (transponder ? { bib, transponder } : wrong("how_swap"));
}

/** "3": {laps_to_go}. */
export function readLaps(text) {
  const value = text.trim();
  return /^\d{1,2}$/.test(value) ? { laps_to_go: Number(value) } : wrong("how_laps");
}

/** "4 puncture": {bib, what}. */
export function readMishap(text, { starters }) {
  const [bib, ...what] = words(text);
  if (!bib) return wrong("how_mishap");
  return readBib(bib, starters) ?? (what.length ? { bib, what: what.join(" ") } : wrong("how_mishap"));
}

/** "4 DSQ 3.2.140 passed the pacer; 6 REL": {excluded: [{bib, code, article, reason}]}; nothing typed: nobody. */
export function readExclusions(text, { starters, codes }) {
  const excluded = [];
  for (const part of text.split(";").filter((one) => one.trim())) {
    const [bib, code = "", ...rest] = words(part);
    const unknown = readBib(bib, starters);
    if (unknown) return unknown;
    if (!codes.includes(code.toUpperCase())) return wrong("wrong_code", { code: code || "–", codes: codes.join(" ") });
    if (excluded.some((one) => one.bib === bib)) return wrong("wrong_twice", { bib });
    const article = /^\d+\.\d/.test(rest[0] ?? "") ? rest.shift() : "";
    excluded.push({ bib, code: code.toUpperCase(), article, reason: rest.join(" ") });
  }
  return { excluded };
}

/** A heat of the programme by its id or the beginning of it: {heat}. */
export function readHeat(text, heats) {
  const typed = text.trim().toLowerCase();
  if (!typed) return wrong("how_open");
  const exact = heats.find((one) => one.heat === typed);
  const found = exact
    ? [exact]
    : heats.filter((one) => one.heat.startsWith(typed) || one.name.toLowerCase().startsWith(typed));
  if (found.length === 1) return { heat: found[0].heat, name: found[0].name };
  return found.length
    ? wrong("which_heat", {
        heats: found
          .slice(0, 6)
          .map((one) => one.heat)
          .join(" "),
      })
    : wrong("wrong_heat", { heat: text.trim() });
}

/** Words that must not be empty: {reason}. */
export function readReason(text) {
  return text.trim() ? { reason: text.trim() } : wrong("how_reason");
}
