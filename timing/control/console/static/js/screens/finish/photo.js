/** The photo-finish image of the heat, where the camera's computer puts one into the console's folder. */

import { h } from "../../dom.js";
import { shownHeat, timeOfDay } from "../ruling/heat.js";

const ASK_EVERY_MS = 2000;

/** Ask for a newer image from now on; only the answer's change is drawn. */
export function watchPhoto(ctx) {
  const ask = async () => {
    const heat = shownHeat(ctx);
    if (heat === null || ctx.link.lost) return;
    const found = await newest(heat);
    if (found !== undefined && shownHeat(ctx) === heat && found?.version !== ctx.ui.photo?.version) {
      ctx.ui.photo = found;
      ctx.redraw();
    }
  };
  ctx.ui.photo = null;
  setInterval(ask, ASK_EVERY_MS);
  ask();
}

/** `{heat, version, name, written_us}` of the newest image, null where there is none, undefined when nobody answered. */
async function newest(heat) {
  try {
    const answer = await fetch(`/photos/${encodeURIComponent(heat)}/newest`, { cache: "no-store" });
    if (!answer.ok) return undefined;
    const found = await answer.json();
    return found.name === null ? null : { heat, ...found };
  } catch {
    return undefined; // The overlay of the link tells that the server is away.
  }
}

export function photoView(ctx) {
  const { t } = ctx;
  const photo = ctx.ui.photo?.heat === shownHeat(ctx) ? ctx.ui.photo : null;
  if (!photo) return h("p", { class: "photo-none soft", key: "photo" }, t("finish.no_photo"));
  const told = { name: photo.name, time: timeOfDay(ctx, photo.written_us) };
  const address = `/photos/${encodeURIComponent(photo.heat)}?version=${photo.version}`;
  return h(
    "figure",
    { class: "photo", key: "photo" },
    h("a", { href: address, target: "_blank", rel: "noopener" }, h("img", { src: address, alt: t("finish.photo_alt", told) })),
    h("figcaption", null, t("finish.photo_caption", told)),
  );
}
