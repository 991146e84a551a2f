/**
 * The web app of one screen: loads its texts and its module, keeps the line, and draws at most once a frame.
 *
 * `ctx` is what a screen gets: {store, t, told, format, role, actor, lang, screen, ui, link, redraw(), send(), preview(),
 * say(), ask(), button(), memo(), may(), drawn}. `ask(question)` opens the input line, `button(id)` is the button of a binding
 * wherever the screen wants it, `memo(name, inputs, make)` is a part of the picture made anew only when its inputs are
 * others (put no buttons into it: they would keep an old state). `drawn` are the functions to call at the end of each
 * drawing, for what moves by itself: a frame more is dearer than anything that is done in it.
 */

import { h, memo, patch } from "./dom.js";
import * as format from "./format.js";
import * as frame from "./frame.js";
import { createKeys } from "./keys.js";
import { connect, lossOverlay } from "./link.js";
import { sendCommand } from "./send.js";
import { createStore } from "./store.js";
import { LANGUAGES, loadTexts, t, told } from "./texts.js";

const THEMES = ["hall", "night"];
const body = document.body.dataset;
const root = document.getElementById("app") ?? document.body.appendChild(document.createElement("div"));
const screens = (body.screens ?? frame.SCREENS.join(" ")).split(" ").filter(Boolean);

const orders = body.actions === undefined ? null : new Set(body.actions.split(" "));

const store = createStore();
const cache = {};
let said = null;
let drawing = false;
let link = { lost: "starting", since: Date.now() };
let screen = null;

function redraw() {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    draw();
  });
}

const ctx = {
  store,
  t,
  told,
  format,
  role: body.role ?? "public",
  actor: body.actor ?? "",
  csrf: body.csrf ?? "",
  lang: document.documentElement.lang || "en",
  screen: body.screen,
  ui: { frame: { raceStopped: frame.raceStopped(store) } },
  unanswered: null,
  drawn: new Set(),
  get link() {
    return link;
  },
  redraw,
  say(key, params, tone = "") {
    said = { text: t(key, params), tone, at: new Date().toLocaleTimeString("en-GB") };
    redraw();
  },
  send: (action, options = {}) => sendCommand(ctx, action, { ...options, preview: false }),
  preview: (action, options = {}) => sendCommand(ctx, action, { ...options, preview: true }),
  ask: (question) => keys.ask(question),
  /** Whether this role may give orders of this type at all; the core decides again. */
  may: (type) => orders === null || orders.has(type),
  asking: () => keys.asking(),
  button: (id, extra) => keys.button(id, extra),
  memo: (name, inputs, make) => memo(cache, name, [ctx.lang, ...inputs], make),
};

const keys = createKeys({
  t,
  redraw,
  blocked: (binding) => {
    if (!link.lost || binding?.global) return false;
    ctx.say("common.not_live_keys", {}, "bad");
    return true;
  },
});

function remember(name, value) {
  document.cookie = `${name}=${value}; Path=/; Max-Age=31536000; SameSite=Strict`;
}

function nextTheme() {
  const now = document.documentElement.dataset.theme;
  const next = THEMES[(THEMES.indexOf(now) + 1) % THEMES.length];
  document.documentElement.dataset.theme = next;
  remember("theme", next);
  ctx.say("common.theme_is", { theme: t(`common.theme_${next}`) });
}

async function nextLanguage() {
  const next = LANGUAGES[(LANGUAGES.indexOf(ctx.lang) + 1) % LANGUAGES.length];
  await loadTexts(next);
  ctx.lang = next;
  document.documentElement.lang = next;
  document.title = title();
  remember("lang", next);
  ctx.say("common.language_is", { language: t("common.language_name") });
}

const title = () => `${t(screen.title)} · ${store.get("meet")?.name ?? body.meet ?? "velodrome"}`;

function globals() {
  const common = { bar: false, global: true, group: "common.keys_everywhere" };
  return [
    ...(ctx.unanswered
      ? [
          {
            ...common,
            bar: true,
            primary: true,
            key: "Shift+Enter",
            id: "again",
            label: "common.send_again",
            run: ctx.unanswered.again,
          },
        ]
      : []),
    { ...common, key: "?", id: "help", label: "common.help", run: () => keys.toggleHelp() },
    { ...common, key: "Shift+T", id: "theme", label: "common.theme", run: nextTheme },
    { ...common, key: "Shift+L", id: "language", label: "common.language", run: nextLanguage },
    ...screens.map((id) => ({
      ...common,
      key: `Shift+${frame.SCREENS.indexOf(id) + 1}`,
      id: `screen-${id}`,
      label: `common.screen_${id}`,
      run: () => location.assign(`/${id}`),
    })),
  ];
}

function draw() {
  keys.set(screen.bindings?.(ctx) ?? [], globals(), screen.onKey ? (event) => screen.onKey(ctx, event) : null);
  const side = screen.side?.(ctx) ?? null;
  const live = link.lost ? "no" : "yes";
  patch(root, [
    h(
      "div",
      { class: `app screen-${screen.id}${side ? " has-side" : ""}`, key: "app", "data-live": live },
      screen.bare ? null : [frame.nav(ctx, screens), frame.top(ctx)],
      h("main", { class: "view", key: "view", id: "view" }, screen.view(ctx)),
      side
        ? h("aside", { class: "side", key: "side", tabindex: "0", "aria-label": t("common.needs_you") }, side)
        : null,
      screen.bare ? null : frame.bottom(ctx, keys, said),
    ),
    keys.helpOverlay(),
    lossOverlay(link, t),
  ]);
  frame.tick(ctx);
  for (const move of ctx.drawn) move();
}

async function start() {
  const [module] = await Promise.all([import(`./screens/${body.screen}.js`), loadTexts(ctx.lang)]);
  screen = module.screen;
  screen.start?.(ctx);
  document.title = title();
  connect({
    store,
    onChange: redraw,
    onState: (state) => {
      link = state;
      redraw();
    },
  });
  setInterval(() => frame.tick(ctx), 100);
  draw();
}

start();
