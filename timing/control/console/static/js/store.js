/**
 * What the console knows: the newest payload of every topic below the meet, and the core's clock.
 *
 * `apply({kind, …})` takes an event of the stream: `snapshot`, `delta`, `passing`, `links` or `beat`. It returns
 * false when a number is missing in between: the picture may be wrong then and a snapshot must be fetched.
 */

const PASSINGS_KEPT = 300;
const SLEW = 0.1;
const JUMP_US = 250_000;

export function createStore(now = () => performance.now()) {
  const topics = new Map();
  const listeners = new Set();
  let passings = [];
  let links = { mqtt: "up", core: "up" };
  let last = null;
  let anchor = null;
  let held = null;

  const coreNow = () => {
    if (!anchor) return null;
    return held ?? Math.round(anchor.us + (now() - anchor.at) * 1000 * anchor.speed);
  };

  function takeClock(core) {
    if (!core || !core.at_us) return;
    const speed = core.speed ?? 1;
    const seen = held === null ? coreNow() : null;
    const error = seen === null ? 0 : core.at_us - seen;
    const near = seen !== null && anchor.speed === speed && Math.abs(error) < JUMP_US * speed;
    // A beat says how late it came as well as what time it is: small errors are spread, so that no clock stutters.
    anchor = { us: near ? seen + error * SLEW : core.at_us, at: now(), speed };
  }

  function takePassings(payload) {
    passings = [...[...(payload.passings ?? [])].reverse(), ...passings].slice(0, PASSINGS_KEPT);
  }

  function inOrder(n) {
    if (typeof n !== "number") return true;
    const fits = last === null || n === last + 1;
    last = n;
    return fits;
  }

  const takers = {
    snapshot(event) {
      topics.clear();
      for (const [topic, payload] of Object.entries(event.topics)) topics.set(topic, payload);
      if (event.passings) passings = [...event.passings].reverse().slice(0, PASSINGS_KEPT);
      links = event.links ?? links;
      last = event.n;
      takeClock(event.core);
      return true;
    },
    delta(event) {
      if (!inOrder(event.n)) return false;
      const payload = "patch" in event ? patched(topics.get(event.topic), event.patch) : event.payload;
      if (payload === null || payload === undefined) topics.delete(event.topic);
      else topics.set(event.topic, payload);
      return true;
    },
    passing(event) {
      if (!inOrder(event.n)) return false;
      takePassings(event.payload);
      return true;
    },
    links(event) {
      links = { mqtt: event.mqtt ?? event.links?.mqtt, core: event.core ?? event.links?.core };
      return true;
    },
    beat(event) {
      takeClock(event.core);
      const before = links;
      links = event.links ?? links;
      return before.mqtt === links.mqtt && before.core === links.core ? "quiet" : true;
    },
  };

  const current = () => topics.get("current") ?? topics.get("board");

  return {
    get: (topic) => topics.get(topic),
    /** The heat on the track: `current`, or for who may not see that the topic `board`, which has the same heads. */
    current,
    /** Part of a heat (`start`, `order`, `splits`, `pace`, `finish`, `result`, `history`); by default the current one. */
    heat: (part, heat = current()?.heat) => (heat ? topics.get(`heats/${heat}/${part}`) : undefined),
    /** All topics that begin so, as [rest of the topic, payload], in order of their names. */
    below: (prefix) =>
      [...topics.entries()]
        .filter(([topic]) => topic.startsWith(prefix))
        .map(([topic, payload]) => [topic.slice(prefix.length), payload])
        .sort(([a], [b]) => (a < b ? -1 : 1)),
    /** The newest passings first. */
    passings: () => passings,
    links: () => links,
    /** The core's time in UTC µs, running on between beats at its speed; null before the first beat. */
    coreNow,
    /** How many of the core's seconds pass in one of ours (a demo may run faster). */
    speed: () => anchor?.speed ?? 1,
    /** A clock of something that is lost must not run on. */
    hold(on) {
      if (on && held === null) held = coreNow();
      if (!on) held = null;
    },
    apply(event) {
      const taken = takers[event.kind]?.(event) ?? true;
      if (taken !== false && taken !== "quiet") for (const listener of listeners) listener(event);
      return taken !== false;
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

/** The value after a patch (its form: timing/control/console/patches.py). What has not changed stays the same object. */
export function patched(before, patch) {
  if (Array.isArray(patch)) {
    if (patch.length === 1) return patch[0];
    const [kept, changed, more] = patch;
    const after = before.slice(0, kept);
    for (const [index, one] of Object.entries(changed)) after[index] = patched(before[index], one);
    return after.concat(more);
  }
  const after = { ...before };
  for (const [key, one] of Object.entries(patch)) {
    if (Array.isArray(one) && one.length === 0) delete after[key];
    else after[key] = patched(after[key], one);
  }
  return after;
}
