/**
 * Everything from the keyboard: bindings with their buttons, the second key of what is dangerous, the input line
 * and the help overlay. Nothing here hides the race: questions and warnings live in the bottom bar.
 *
 * Binding: {key, label, run, id?, danger?, warn?, enabled?, primary?, bar?, params?, group?}
 *   key      "a", "Shift+U", "ArrowDown", "Enter", "?"; the letter as it is printed on the key, in lower case
 *   label    text key; params its placeholders; `text` instead of `label` is shown as it stands
 *   about    text key of what it does in full, for the help overlay; by default the label
 *   danger   true: `warn()` (a sentence, already in the language) stands in the bar until Enter does it; any other
 *            key leaves it
 *   bar      false: works, and stands in the help, but not in the bottom bar
 *   group    bindings of one group stand together in bar and help: a text key
 *
 * Question for the input line: {label, value?, hint?(value), submit(value), danger?, warn?(value), cancel?()}
 *   hint     {text, bad?} or null: how the line reads so far
 *   submit   may return (a promise of) words that say what is wrong: the line then stays open
 */

import { h } from "./dom.js";

const NAMES = { ArrowDown: "↓", ArrowUp: "↑", ArrowLeft: "←", ArrowRight: "→", Escape: "Esc", " ": "Space" };
const REPEATING = /^(Arrow|Page|j$|k$)/;

/** "Shift+U" → "⇧U": how a key is printed on its button. */
export function keyName(key) {
  const parts = key.split("+").filter((part) => part !== "");
  const last = parts.at(-1) ?? key;
  const shown = NAMES[last] ?? (last.length === 1 ? last.toUpperCase() : last);
  return (parts.length > 1 && parts[0] === "Shift" ? "⇧" : "") + shown;
}

/** Whether a keydown is the key of a binding. Digits by their place, since some layouts need Shift for them. */
export function matches(key, event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return false;
  const shifted = key.startsWith("Shift+");
  const wanted = shifted ? key.slice(6) : key;
  if (/^\d$/.test(wanted)) {
    const isDigit = event.code === `Digit${wanted}` || event.code === `Numpad${wanted}`;
    return event.shiftKey === shifted && (isDigit || (!shifted && event.key === wanted));
  }
  if (/^[a-z]$/i.test(wanted)) {
    const pressed = /^[a-z]$/i.test(event.key) ? event.key : /^Key[A-Z]$/.test(event.code) ? event.code.slice(3) : "";
    return event.shiftKey === shifted && pressed.toLowerCase() === wanted.toLowerCase();
  }
  // Signs such as ? need Shift on some layouts and not on others.
  const plain = wanted.length === 1 || event.shiftKey === shifted;
  return plain && (event.key === wanted || (wanted === "Space" && event.key === " "));
}

export function createKeys({ t, redraw, blocked = () => false }) {
  let bindings = [];
  let onKey = null;
  let danger = null;
  let question = null;
  let help = false;

  const enabled = (binding) => binding.enabled !== false;
  const words = (binding) => binding.text ?? t(binding.label, binding.params);

  function run(binding) {
    if (!enabled(binding) || blocked(binding)) return;
    if (binding.danger) {
      danger = { text: binding.warn?.() ?? words(binding), act: binding.run, label: words(binding) };
      redraw();
      return;
    }
    binding.run();
    redraw();
  }

  function confirm() {
    const act = danger?.act;
    danger = null;
    if (act && !blocked()) act();
    redraw();
  }

  function cancel() {
    danger = null;
    redraw();
  }

  function ask(one) {
    danger = null;
    question = { value: "", wrong: null, busy: false, ...one, id: Math.random().toString(36).slice(2) };
    redraw();
  }

  function close() {
    const was = question;
    question = null;
    danger = null;
    was?.cancel?.();
    redraw();
  }

  async function submit() {
    const one = question;
    if (!one || one.busy || blocked()) return;
    const read = one.hint?.(one.value);
    if (read?.bad) return refuse(one, read.text);
    if (one.danger && !danger) {
      danger = { text: one.warn?.(one.value) ?? one.label, act: () => finish(one), label: one.label };
      redraw();
      return;
    }
    await finish(one);
  }

  async function finish(one) {
    danger = null;
    one.busy = true;
    redraw();
    const wrong = await one.submit(one.value);
    one.busy = false;
    if (typeof wrong === "string") refuse(one, wrong);
    else if (question === one) question = null;
    redraw();
  }

  function refuse(one, text) {
    one.wrong = text;
    redraw();
  }

  function handle(event) {
    if (event.isComposing) return;
    const take = () => event.preventDefault();
    if (danger) {
      if (event.key === "Enter" && !event.repeat) return (take(), confirm());
      if (event.key === "Escape") return (take(), cancel());
      if (["Shift", "Control", "Alt", "Meta", "Enter", "Tab"].includes(event.key)) return;
      danger = null;
      redraw();
    }
    if (question) {
      if (event.key === "Escape") return (take(), close());
      if (event.target === document.getElementById("line-input")) {
        if (event.key === "Enter" && !event.repeat) (take(), submit());
        return;
      }
    }
    if (help && (event.key === "Escape" || event.key === "?")) return (take(), toggleHelp());
    const where = event.target;
    const typing = where instanceof Element && where.matches("input, textarea, select, [contenteditable]");
    if (typing) return;
    const pressing = where instanceof Element && where.matches("button, a, summary");
    if (pressing && (event.key === "Enter" || event.key === " ")) return;
    if (!blocked() && onKey?.(event)) return take();
    const binding = bindings.find((one) => enabled(one) && matches(one.key, event));
    if (!binding) return;
    take();
    if (event.repeat && !REPEATING.test(binding.key)) return;
    run(binding);
  }

  function toggleHelp() {
    help = !help;
    redraw();
  }

  /** The button of a binding: click or key, the same. */
  function button(binding, extra = {}) {
    const kind = `key-button${binding.danger ? " dangerous" : ""}${binding.primary && enabled(binding) ? " primary" : ""}`;
    const attrs = { type: "button", class: `${kind} ${extra.class ?? ""}`.trim(), disabled: !enabled(binding) };
    const told = extra.text ?? words(binding);
    return h(
      "button",
      { ...attrs, key: extra.key ?? binding.id ?? binding.key, "data-id": binding.id, onclick: () => run(binding) },
      h("kbd", null, keyName(binding.key)),
      " ",
      h("span", null, told),
    );
  }

  function bar() {
    const shown = bindings.filter((one) => one.bar !== false);
    return h(
      "div",
      { class: "key-bar", role: "toolbar", "aria-label": t("common.keys_here") },
      shown.map((one) => button(one)),
    );
  }

  /** The line above the keys: a warning that waits for Enter, or a question, or nothing. */
  function line() {
    return [danger ? dangerLine() : null, question ? questionLine() : null];
  }

  function dangerLine() {
    return h(
      "div",
      { class: "danger-line", key: "danger", role: "alert" },
      h("strong", null, "⚠ ", danger.text),
      h("span", { class: "line-actions" }, [
        h(
          "button",
          { type: "button", class: "key-button dangerous", key: "do", onclick: confirm },
          h("kbd", null, "Enter"),
          " ",
          t("common.do_it"),
        ),
        h(
          "button",
          { type: "button", class: "key-button", key: "leave", onclick: cancel },
          h("kbd", null, "Esc"),
          " ",
          t("common.leave_it"),
        ),
      ]),
    );
  }

  function lineHint(one) {
    if (one.busy) return { text: t("common.line_sent") };
    return one.wrong ? { text: one.wrong, bad: true } : (one.hint?.(one.value) ?? null);
  }

  function questionLine() {
    const one = question;
    const hint = lineHint(one);
    return h(
      "div",
      { class: "question-line", key: one.id, "aria-busy": String(one.busy) },
      h("label", { for: "line-input" }, one.label),
      h("input", {
        id: "line-input",
        type: "text",
        autocomplete: "off",
        autocapitalize: "off",
        spellcheck: "false",
        value: one.value,
        // What is typed after the order left would read as if it belonged to it.
        readonly: one.busy,
        "aria-describedby": "line-hint",
        // In the frame in which it is drawn: who types on at once must not give orders with what is meant for the line.
        ref: (node) => queueMicrotask(() => (node.focus(), node.select())),
        oninput: (event) => {
          one.value = event.target.value;
          one.wrong = null;
          danger = null;
          redraw();
        },
      }),
      h(
        "span",
        { class: hint?.bad ? "line-hint bad" : "line-hint", id: "line-hint", "aria-live": "polite" },
        hint?.bad ? "✕ " : "",
        hint?.text ?? "",
      ),
      h("span", { class: "line-actions" }, [
        h(
          "button",
          { type: "button", class: "key-button primary", key: "do", onclick: submit },
          h("kbd", null, "Enter"),
          " ",
          t("common.do_it"),
        ),
        h(
          "button",
          { type: "button", class: "key-button", key: "leave", onclick: close },
          h("kbd", null, "Esc"),
          " ",
          t("common.leave_it"),
        ),
      ]),
    );
  }

  /** Every key of this screen and of all screens, beside the race and not over it. */
  function helpOverlay() {
    if (!help) return null;
    const groups = new Map();
    for (const one of bindings) {
      const group = one.group ?? "common.keys_screen";
      groups.set(group, [...(groups.get(group) ?? []), one]);
    }
    return h(
      "aside",
      { class: "help", key: "help", "aria-label": t("common.help") },
      h("h2", null, t("common.help")),
      h(
        "div",
        { class: "help-groups" },
        [...groups.entries()].map(([group, members]) =>
          h(
            "section",
            { key: group },
            h("h3", null, t(group)),
            h(
              "dl",
              null,
              members.map((one) =>
                h(
                  "div",
                  { key: one.id ?? one.key },
                  h("dt", null, h("kbd", null, keyName(one.key))),
                  h(
                    "dd",
                    null,
                    one.about ? t(one.about) : words(one),
                    one.danger ? [" ", h("em", null, t("common.second_key"))] : null,
                  ),
                ),
              ),
            ),
          ),
        ),
      ),
      h(
        "button",
        { type: "button", class: "key-button", onclick: toggleHelp },
        h("kbd", null, "Esc"),
        " ",
        t("common.close"),
      ),
    );
  }

  addEventListener("keydown", handle);
  return {
    /** Called at each render: what works now. */
    set(screenBindings, globals, screenOnKey = null) {
      bindings = [...screenBindings, ...globals];
      onKey = screenOnKey;
    },
    /** The button of the binding with this id (or key), wherever the screen wants it beside the bar. */
    button(id, extra) {
      const binding = bindings.find((one) => one.id === id || one.key === id);
      return binding ? button(binding, { key: `${id}-here`, ...extra }) : null;
    },
    ask,
    close,
    bar,
    line,
    helpOverlay,
    toggleHelp,
    asking: () => question !== null,
    pending: () => danger,
  };
}
