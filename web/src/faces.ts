/** The two sides of a postcard and its field notes, as templates/_faces.html writes them on a page of its own. */

import { bdi, button, h, root, s } from "./dom";
import type { Card, GlyphsData, PhraseData } from "./types";

const TONGUE = "art-x-jungle";
const WAVES =
  "M96 32c9-6 9 6 18 0s9 6 18 0 9 6 16 0M98 44c9-6 9 6 18 0s9 6 18 0 9 6 14 0M98 56c9-6 9 6 18 0s9 6 18 0 9 6 14 0M96 68c9-6 9 6 18 0s9 6 18 0 9 6 16 0";

export function picture(card: Card, sizes: string): HTMLElement {
  const { sources, tint, width, height } = card.picture;
  const list = (pairs: [string, number][]): string => pairs.map(([path, wide]) => `${root()}${path} ${wide}w`).join(", ");
  const last = sources[sources.length - 1]!.srcset;
  const img = h("img", { src: root() + last[last.length - 1]![0], width, height, alt: card.alt, decoding: "async", draggable: "false" });
  const others = sources.slice(0, -1).map((source) => h("source", { type: source.type, srcset: list(source.srcset), sizes }));
  return h(`div.view.q-${tint}`, {}, h("picture", {}, ...others, img));
}

/** A word in the script of its language. */
export const script = (glyphs: GlyphsData, label: string): SVGElement =>
  s(
    "svg",
    { class: "script", viewBox: `0 0 ${glyphs.width} ${glyphs.height}`, role: "img", "aria-label": label },
    ...glyphs.paths.map((d) => s("path", { d })),
  );

export function front(card: Card): HTMLElement {
  return h(
    "div.face.front",
    {},
    picture(card, "(min-width: 52rem) 40rem, 92vw"),
    h(
      "div.strip",
      {},
      h("h2", { id: "shown" }, bdi(card.name)),
      h("p.binomial", {}, h("i", { lang: "la" }, bdi(card.binomial))),
      h("p.own", {}, script(card.stamp, "Its name in its own script"), " ", bdi(card.own_name, { lang: TONGUE })),
      h("p.number", { "aria-label": `Number ${card.number}` }, `№ ${card.number}`),
    ),
  );
}

export function postmark([place, date]: readonly [string, string], id: string): SVGElement {
  const days = date.split(" ");
  return s(
    "svg",
    { class: "postmark", viewBox: "0 0 150 100", role: "img", "aria-label": `Postmark: ${place}, ${date}` },
    s(
      "defs",
      {},
      s("path", { id: `ring-${id}`, d: "M16 50a34 34 0 0 1 68 0" }),
      s("path", { id: `foot-${id}`, d: "M10.5 50a39.5 39.5 0 0 0 79 0" }),
    ),
    s("circle", { cx: 50, cy: 50, r: 46 }),
    s("circle", { cx: 50, cy: 50, r: 27 }),
    s("path", { d: WAVES }),
    s("text", { class: "around" }, s("textPath", { href: `#ring-${id}`, startOffset: "50%" }, place)),
    s("text", { class: "around" }, s("textPath", { href: `#foot-${id}`, startOffset: "50%" }, "jungle post")),
    ...days.map((line, at) => s("text", { x: 50, y: 54 + 11 * (at - (days.length - 1) / 2) }, line)),
  );
}

export const stamp = (card: Card): HTMLElement =>
  h(
    `div.stamp.q-${card.picture.tint}`,
    {},
    h("div", {}, script(card.stamp, `Stamp: ${card.stamp.text} in the script of its language`), h("span", { "aria-hidden": "true" }, String(card.number))),
  );

/** Addresses, postmark and stamp: the upper edge of the back. */
export function postage(card: Card, id: string, sender: Node[], to: string): HTMLElement {
  return h(
    "div.postage",
    {},
    h("div.from", {}, h("p.label", {}, "From"), h("p.hand", {}, ...sender), h("p.label", {}, "To"), h("p.hand", {}, to)),
    postmark(card.postmark, id),
    stamp(card),
  );
}

function phrase(said: PhraseData, at: number, spoken: boolean): HTMLElement {
  const words = said.words.flatMap((word) => [h("ruby", {}, bdi(word.text), h("rt", { lang: "en" }, word.gloss)), " "]);
  const tools = h("span.say", {});
  if (spoken) tools.append(button("say", "say", `Say phrase ${at + 1}`, { "data-at": at }));
  tools.append(button("copy", "copy", `Copy phrase ${at + 1}`, { "data-at": at }));
  for (const word of tools.querySelectorAll(".word")) word.className = "unseen";
  return h(
    "li.phrase",
    {},
    h("p.said", { lang: TONGUE }, ...words),
    h("p.ipa", { lang: `${TONGUE}-fonipa` }, `[${said.words.map((word) => word.ipa).join(" ")}]`),
    h("p.english", {}, bdi(said.english), " ", h("span.fine", {}, said.mood)),
    tools,
  );
}

export function back(card: Card): HTMLElement {
  const sender = [bdi(card.own_name, { lang: TONGUE }), document.createTextNode(", "), bdi(card.habitat)];
  const call = card.call_in_words;
  const image = h("img.spectrogram", { src: root() + card.call.spectrogram, width: 640, height: 200, alt: `Spectrogram of the call: ${call}`, decoding: "async" });
  return h(
    "div.face.back",
    { tabindex: 0, role: "region", "aria-label": "The back of the card" },
    postage(card, card.id, sender, "you, who listen"),
    h("h3.label", {}, "What it says, in ", bdi(card.language)),
    h("ol.phrases", {}, ...card.phrases.map((said, at) => phrase(said, at, card.call.voices !== ""))),
    h("figure.voice", {}, image, h("div.playhead"), h("figcaption", {}, bdi(call))),
    h("p.recipe.fine", {}, `${card.mix} · seed ${card.facts.find(([label]) => label === "Seed")?.[1] ?? ""} · made by AI`),
  );
}

const pair = (label: string, ...values: (Node | string)[]): Node[] => [h("dt", {}, label), ...values.map((value) => h("dd", {}, value))];

export function notes(card: Card): HTMLElement {
  const dot = (hex: string): SVGElement =>
    s("svg", { viewBox: "0 0 10 10", "aria-hidden": "true", focusable: "false" }, s("circle", { cx: 5, cy: 5, r: 4.6, fill: hex }));
  const colours = card.colours.flatMap((colour) => [h("span", {}, dot(colour.hex), ` ${colour.name}`), " "]);
  return h(
    "div.notes",
    { tabindex: 0, role: "region", "aria-label": "Field notes" },
    h("h3", {}, "Field notes"),
    h("p.lead", {}, bdi(card.notes)),
    h(
      "dl",
      {},
      ...pair("Lives", bdi(card.habitat)),
      ...pair("Habits", ...card.traits.map((trait) => bdi(trait))),
      ...pair("Calls itself", bdi(card.own_name, { lang: TONGUE })),
      ...pair("Speaks", h("span", {}, bdi(card.language), `, of the ${card.family} family`)),
      ...pair("Mixed from", card.mix),
      h("dt", {}, "Colours"),
      h("dd.swatches", {}, ...colours),
    ),
    h("details", {}, h("summary", {}, "The recipe"), h("dl.facts", {}, ...card.facts.flatMap(([label, value]) => pair(label, bdi(value))))),
    h(
      "p.actions",
      {},
      button("picture", "", "Save the picture", { class: "quiet" }),
      button("call", "", "Save the call", { class: "quiet" }),
      button("share", "", "Share", { class: "quiet" }),
      h("a.quiet", { href: `${root()}send.html#/to/${card.id}` }, "Write with this card"),
      h("a.quiet", { href: root() + card.page }, "Its own page"),
    ),
  );
}
