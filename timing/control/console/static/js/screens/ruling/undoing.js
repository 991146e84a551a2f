/** What undo and redo mean on this screen: which command they name. Pure. */

/** What a commissaire takes back with one key; anything else is chosen in the history first. */
const ORDERING = new Set(["place", "decide"]);

/** The newest placing or decision that stands; null when there is none. */
export function undoTarget(entries) {
  return newest(entries, (one) => standing(one) && ORDERING.has(one.action.type));
}

/** The newest undo that stands. Undoing it brings its command back; a redo is such an undo of an undo and no target. */
export function redoTarget(entries) {
  const undos = new Set(entries.filter((one) => one.action.type === "undo").map((one) => one.id));
  return newest(entries, (one) => standing(one) && one.action.type === "undo" && !undos.has(one.action.command));
}

/** Whether this entry of the history can be taken back from here. */
export function standing(entry) {
  return entry.accepted && entry.undone_by === null && entry.can_undo;
}

/** The entry that an undo names, and of an undo of an undo the command that comes back; null when not in the list. */
export function meantBy(entries, undo) {
  const found = entries.find((one) => one.id === undo.action.command) ?? null;
  return found !== null && found.action.type === "undo" ? meantBy(entries, found) : found;
}

function newest(entries, wanted) {
  const found = entries.filter(wanted);
  return found.reduce((best, one) => (best === null || one.row > best.row ? one : best), null);
}
