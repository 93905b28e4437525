/** Two small dialogs: settings, and help with the keys. */

import { button, h } from "./dom";
import { dress, keep, settings, type Settings } from "./memory";
import * as sound from "./sound";

export const KEYS: readonly (readonly [key: string, action: string, words: string])[] = [
  ["p", "play", "hear the call, or hush it"],
  ["f", "turn", "turn the card over"],
  ["t", "meaning", "show translations"],
  ["i", "ipa", "show the sounds (IPA)"],
  ["c", "copy", "copy the first phrase"],
  ["s", "star", "star the card"],
  ["w", "walk", "walk by itself, or stop"],
  ["m", "mute", "mute"],
  ["/", "search", "search"],
  ["r", "surprise", "surprise me"],
  ["?", "help", "this help"],
];

function slip(title: string, id: string, ...content: Node[]): HTMLDialogElement {
  const made = h("dialog.slip", { "aria-labelledby": id }, h("h2", { id }, title), ...content);
  const done = button("done", "", "Close", { class: "quiet" });
  done.addEventListener("click", () => made.close());
  made.append(done);
  made.addEventListener("click", (event) => event.target === made && made.close());
  document.body.append(made);
  return made;
}

function choice(name: "theme" | "motion" | "size", legend: string, options: readonly (readonly [string, string])[], changed: () => void): HTMLElement {
  const row = h("div.row");
  for (const [value, words] of options) {
    const input = h("input", { type: "radio", name, value, ...(settings[name] === value ? { checked: true } : {}) });
    input.addEventListener("change", () => {
      (settings as unknown as Record<string, string>)[name] = value;
      changed();
    });
    row.append(h("label", {}, input, words));
  }
  return h("fieldset", {}, h("legend", {}, legend), row);
}

function check(name: "keys" | "meanings" | "ipas", words: string, changed: () => void): HTMLElement {
  const input = h("input", { type: "checkbox", ...(settings[name] ? { checked: true } : {}) });
  input.addEventListener("change", () => {
    settings[name] = input.checked;
    changed();
  });
  return h("label.check", {}, input, words);
}

const made: { settings?: HTMLDialogElement; help?: HTMLDialogElement } = {};

export function openSettings(): void {
  const changed = (): void => {
    keep();
    dress();
  };
  made.settings?.remove();
  made.settings = slip(
    "Settings",
    "settings-title",
    choice("theme", "Light", [["system", "as the system"], ["paper", "paper"], ["night", "night jungle"]] satisfies [Settings["theme"], string][], changed),
    choice("size", "Letters", [["normal", "normal"], ["large", "large"], ["larger", "larger"]], changed),
    choice("motion", "Motion", [["system", "as the system"], ["less", "hold still"]], changed),
    h(
      "fieldset",
      {},
      h("legend", {}, "Cards"),
      check("meanings", "show translations", changed),
      check("ipas", "show the sounds (IPA)", changed),
      check("keys", "single-letter keys", changed),
    ),
  );
  made.settings.showModal();
}

export function openHelp(): void {
  made.help ??= slip(
    "How to walk here",
    "help-title",
    h("p", {}, "Open a card, turn it over, let it call. On a touch screen, tap a card to turn it and swipe to go on."),
    h(
      "dl",
      {},
      ...([["←", "", "previous card"], ["→", "", "next card"], ["Esc", "", "back to the guide"], ...KEYS] as const).flatMap(([key, , words]) => [
        h("dt", {}, h("kbd", {}, key)),
        h("dd", {}, words),
      ]),
    ),
  );
  made.help.showModal();
}

/** The volume, wherever a page shows it. */
export function volume(input: HTMLInputElement): void {
  input.value = String(settings.volume);
  input.addEventListener("input", () => {
    settings.volume = input.valueAsNumber;
    settings.muted = false;
    keep();
    sound.loudness();
  });
}
