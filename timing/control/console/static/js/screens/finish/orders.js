/** Photo-finish beside transponders: the rows of the comparison and what another order would change. Pure. */

/**
 * One row a rider, in order of the result.
 *
 * `finish` and `result` are the messages of the topics of those names. A row is `{bib, line, photoPlace,
 * transponderPlace, transponderGapMs, stepMs, inferred, confidence, differs}`; gaps are ms behind the
 * winner, `stepMs` behind the rider before. Whatever is not known is null.
 */
export function compareOrders(finish, result) {
  const lines = result?.results ?? [];
  const photo = finish?.finish?.photo_finish ?? [];
  const transponder = new Map((finish?.finish?.transponder ?? []).map((entry) => [entry.bib, entry]));
  const firstPlace = lines.find((line) => line.place !== null)?.place ?? 1;
  const photoPlace = new Map(photo.map((bib, index) => [bib, firstPlace + index]));
  let beforeMs = null;
  return lines.map((line) => {
    const entry = transponder.get(line.bib);
    const gapMs = line.gap_ms;
    const stepMs = gapMs !== null && beforeMs !== null ? gapMs - beforeMs : null;
    if (line.place !== null) beforeMs = gapMs ?? (line.place === firstPlace ? 0 : null);
    const judged = photoPlace.get(line.bib) ?? null;
    const read = entry === undefined ? null : entry.place + firstPlace - 1;
    return {
      bib: line.bib,
      line,
      photoPlace: judged,
      transponderPlace: read,
      transponderGapMs: entry?.gap_ms ?? null,
      stepMs,
      inferred: entry?.inferred ?? false,
      confidence: entry?.confidence ?? null,
      differs: judged !== null && read !== null && judged !== read,
    };
  });
}

/**
 * What would change if the transponders' order stood and every decision with it: `[{bib, places, marks}]`.
 *
 * `places` and `marks` (who goes through) are `[as it is, as it would be]`. Marks belong to places, so whoever takes a
 * place takes its mark. Empty where both orders agree.
 */
export function whatWouldChange(finish, result) {
  const lines = (result?.results ?? []).filter((line) => line.place !== null && line.status === null);
  const entries = new Map((finish?.finish?.transponder ?? []).map((entry) => [entry.bib, entry]));
  if (lines.length === 0 || lines.some((line) => !entries.has(line.bib))) return [];
  const marks = result.marks ?? {};
  const firstPlace = lines[0].place;
  const markOfPlace = new Map(lines.map((line) => [line.place, marks[line.bib] ?? ""]));
  const ahead = (bib) => lines.filter((line) => entries.get(line.bib).place < entries.get(bib).place).length;
  return lines
    .map((line) => {
      const place = firstPlace + ahead(line.bib);
      const [was, will] = [marks[line.bib] ?? "", markOfPlace.get(place) ?? marks[line.bib] ?? ""];
      return { bib: line.bib, places: [line.place, place], marks: [was, will] };
    })
    .filter((one) => one.places[0] !== one.places[1]);
}

/** Equal printed gaps at different places: the judge's order stands, and the screen says that it was seen. */
export function equalGaps(lines) {
  const found = [];
  for (const [index, line] of lines.entries()) {
    const before = lines[index - 1];
    if (before === undefined || line.gap_ms === null || before.gap_ms !== line.gap_ms) continue;
    if (line.place !== null && before.place !== null && line.place !== before.place) {
      found.push({ ahead: before.bib, behind: line.bib, gapMs: line.gap_ms });
    }
  }
  return found;
}
