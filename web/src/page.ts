/** A card's own page: the plain player makes way for one without a gap. */

import { button, h, one, press, toast } from "./dom";
import { load } from "./loader";
import * as sound from "./sound";

export function bringToLife(article: HTMLElement): void {
  const id = article.dataset["card"] ?? "";
  const player = one(".player", article);
  const play = button("play", "play", "Hear it", { class: "seal", "aria-pressed": "false" });
  const word = one(".word", play)!;
  const loud = h("input", { type: "range", min: 0, max: 100, "data-set": "volume" });
  play.addEventListener("click", () => void toggle());
  player?.replaceChildren(h("p.actions", {}, play, h("label.volume", {}, "Volume ", loud)));
  sound.watch(() => {
    press(play, sound.playing() !== "");
    word.textContent = sound.playing() ? "Hush" : "Hear it";
  });

  async function toggle(): Promise<void> {
    if (sound.playing()) return sound.stop();
    sound.open();
    try {
      await sound.play(id, (await load("card", id)).call);
    } catch {
      toast("This call could not be loaded.");
    }
  }
}
