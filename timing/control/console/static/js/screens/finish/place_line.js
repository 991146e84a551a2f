/** The judge's line: `4 2 7-3` is first 4, second 2, then 7 and 3 in a dead heat. Pure: text in, groups and faults out. */

// What keyboards and input methods give for a blank and for a dash.
const BLANKS = /[\s\u3000,;]+/u;
const DASHES = /\s*[-\u2010-\u2015\u2212\u30FC\uFF0D=+]\s*/gu;

/**
 * Reads a place line.
 *
 * `bibs` are those of the heat; `without` those who need no place (DNF, DNS, DSQ by decision); `firstPlace` is 7 in a
 * final for the places 7 to 12.
 * Gives `{groups: [[bib]], places: [{place, bibs}], faults: [{key, params}], missing: [bib], ready}`; faults come in
 * the order in which they stand in the line, their keys are texts. `missing` riders are no fault: a judge may place
 * whom he saw; they get no place.
 */
export function readPlaceLine(line, bibs, { without = [], firstPlace = 1 } = {}) {
  const known = new Map(bibs.map((bib) => [bib.toUpperCase(), bib]));
  const seen = new Set();
  const faults = [];
  const groups = [];
  for (const word of words(line)) {
    const group = [];
    // A bib that has a dash in it is no dead heat.
    for (const typed of known.has(word.toUpperCase()) ? [word] : word.split("-")) {
      const bib = known.get(typed.toUpperCase());
      if (typed === "") {
        faults.push({ key: "finish.fault_dash", params: { word } });
      } else if (bib === undefined) {
        faults.push({ key: "finish.fault_unknown", params: { bib: typed } });
      } else if (seen.has(bib)) {
        faults.push({ key: "finish.fault_twice", params: { bib } });
      } else {
        seen.add(bib);
        group.push(bib);
      }
    }
    if (group.length > 0) groups.push(group);
  }
  const excused = new Set(without);
  const missing = bibs.filter((bib) => !seen.has(bib) && !excused.has(bib));
  const places = placed(groups, firstPlace);
  return { groups, places, faults, missing, ready: groups.length > 0 && faults.length === 0 };
}

/** The line that reads as these groups: the way back. */
export function writePlaceLine(groups) {
  return groups.map((group) => group.join("-")).join(" ");
}

/** Places of groups in order: a dead heat shares a place and the next one counts all who were before it. */
export function placed(groups, firstPlace = 1) {
  let place = firstPlace;
  return groups.map((bibs) => {
    const here = { place, bibs };
    place += bibs.length;
    return here;
  });
}

function words(line) {
  const plain = line.normalize("NFKC").replace(DASHES, "-").trim();
  return plain.split(BLANKS).filter((word) => word !== "");
}
