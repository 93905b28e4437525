/** The script of all pages. It runs before the body is there, so that the chosen light is on at the first paint. */

import { all, h, one, root } from "./dom";
import { Guide } from "./guide";
import { Desk } from "./letter";
import { put } from "./loader";
import { dress, settings } from "./memory";
import { bringToLife } from "./page";
import { KEYS, openHelp, openSettings, volume } from "./slips";
import * as sound from "./sound";
import { filterWords } from "./words";

interface Page { act(what: string): void }

Object.defineProperty(window, "JUNGLE", {
  value: Object.freeze({ put, sound: Object.freeze({ looped: sound.looped, fade: sound.fade, now: sound.now, playing: sound.playing, samples: sound.samples }) }),
});
document.documentElement.classList.add("js");
dress();
const FONTS = ["1em Display", "1em Text", "italic 1em Text", "1em Hand"];
const PATIENCE = 1200; // ms

/** Show the page when its fonts are there, so that no line breaks anew; without them where they take too long (the next page has them). */
function settle(): void {
  const { classList } = document.documentElement;
  const sheet = one<HTMLLinkElement>('link[rel="stylesheet"]');
  const ready = sheet?.sheet ? Promise.resolve() : new Promise<void>((done) => sheet?.addEventListener("load", () => done(), { once: true }));
  const named = FONTS.map((name): [string, string] => [name, "a"]);
  if (one(".lexicon")) named.push(["1em Phonetic", "a\u0263\u03b8"]); // the dictionary shows sounds at once
  const fonts = ready.then(() => Promise.all(named.map(([name, text]) => document.fonts.load(name, text))));
  const late = new Promise<"late">((done) => setTimeout(() => done("late"), PATIENCE));
  void Promise.race([fonts.catch(() => "late" as const), late]).then((found) => {
    if (found === "late") classList.add("plain");
    classList.remove("setting");
  });
}

document.documentElement.classList.add("setting");
if (location.protocol !== "file:") {
  // asked for before the style sheet is there; on file:// a preload is refused, and not needed
  for (const name of ["fraunces-display", "fraunces-text", "fraunces-italic", "hand"]) {
    document.head.append(h("link", { rel: "preload", as: "font", type: "font/woff2", crossorigin: "", href: `${root()}fonts/${name}.woff2` }));
  }
}

function start(): void {
  settle();
  const { classList } = document.body;
  let page: Page = { act: () => undefined };
  const article = one("article[data-card]");
  if (article) bringToLife(article);
  if (classList.contains("guide")) page = new Guide();
  else if (classList.contains("desk")) page = new Desk();
  else if (classList.contains("words")) filterWords();
  if (!classList.contains("guide")) for (const input of all<HTMLInputElement>('[data-set="volume"]')) volume(input);
  const act = (what: string): void => {
    if (what === "settings") openSettings();
    else if (what === "help") openHelp();
    else page.act(what);
  };
  document.addEventListener("click", (event) => {
    const made = (event.target as Element).closest<HTMLElement>("button[data-do]");
    if (!made || made.closest("dialog") || (classList.contains("guide") && made.closest("main"))) return; // those look after their own
    act(made.dataset["do"] ?? "");
  });
  document.addEventListener("keydown", (event) => pressed(event, act));
}

/** Keys never act with a modifier, in a field, or where a slip is open; arrows walk only inside a card. */
function pressed(event: KeyboardEvent, act: (what: string) => void): void {
  const target = event.target as Element;
  const inside = one("dialog.viewer[open]");
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || one("dialog.slip[open]")) return;
  if (target.closest("input, textarea, select, [contenteditable]")) return;
  if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
    if (!inside) return;
    event.preventDefault();
    return act(event.key === "ArrowLeft" ? "previous" : "next");
  }
  const known = settings.keys && KEYS.find(([key]) => key === event.key);
  if (!known || (inside && known[1] === "search")) return;
  event.preventDefault();
  act(known[1]);
}

if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start, { once: true });
else start();
