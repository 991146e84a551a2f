/**
 * The words of the screens: /static/texts/<lang>.json, by namespace and key; placeholders are `{name}`.
 *
 * `t("operator.arm", {heat: "7"})`. With `n` equal to 1 the text `<key>_one` is used where there is one.
 * `told("alerts", {key, params, text})` says what the core sent with its own sentence (English) as the way out
 * where the catalogue of this console is older than the core.
 */

export const LANGUAGES = ["en", "fr", "ja"];

let catalogue = {};
const complained = new Set();

export async function loadTexts(lang) {
  const answer = await fetch(new URL(`../texts/${lang}.json`, import.meta.url));
  if (!answer.ok) throw new Error(`texts/${lang}.json: the server answered ${answer.status}`);
  catalogue = await answer.json();
}

export function has(key) {
  return find(key) !== undefined;
}

export function t(key, params = {}) {
  const text = (params.n === 1 ? find(`${key}_one`) : undefined) ?? find(key);
  if (text === undefined) {
    if (!complained.has(key)) console.error(`no text ${key}: add it to static/texts/*.json`);
    complained.add(key);
    return key;
  }
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in params ? String(params[name] ?? "–") : whole));
}

export function told(namespace, one) {
  const key = `${namespace}.${one.key}`;
  return has(key) ? t(key, one.params ?? {}) : one.text;
}

function find(key) {
  const [namespace, ...rest] = key.split(".");
  return catalogue[namespace]?.[rest.join(".")];
}
