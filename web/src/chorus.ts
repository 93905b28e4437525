/** The jungle by itself: the animals that can be seen call now and then, each from where it stands. */

import { load } from "./loader";
import * as sound from "./sound";

const QUIET = 0.5; // level of an animal in the chorus
const LONGEST = 6; // s that one call keeps the others waiting

export class Chorus {
  on = false;
  private timer = 0;
  private last = "";

  constructor(private readonly names: (id: string) => string, private readonly told: (line: string, id: string) => void) {}

  /** Let the sound in, or out. Call it inside a click. */
  toggle(): void {
    this.on = !this.on;
    clearTimeout(this.timer);
    if (!this.on) return this.told("", "");
    sound.open();
    this.told("Listening …", "");
    void this.next();
  }

  private async next(): Promise<void> {
    if (!this.on) return;
    let wait = 1;
    const caller = document.hidden || document.querySelector("dialog[open]") ? undefined : this.pick();
    if (caller) {
      try {
        const { id } = caller;
        const seconds = await sound.once(id, await load("call", id), QUIET + 0.3 * Math.random(), caller.pan);
        if (!this.on) return;
        this.last = id;
        this.told(`${this.names(id)} is calling.`, id);
        wait = Math.min(LONGEST, seconds) * 0.85 + 0.3 + 1.4 * Math.random();
      } catch {
        wait = 3; // that one is lost in the rain; another will call
      }
    }
    this.timer = window.setTimeout(() => void this.next(), wait * 1000);
  }

  private pick(): { id: string; pan: number } | undefined {
    const seen = [...document.querySelectorAll<HTMLElement>(".cards li:not([hidden])")].filter((card) => {
      const { top, bottom } = card.getBoundingClientRect();
      return bottom > 0 && top < innerHeight && card.id !== this.last;
    });
    const list = seen.length ? seen : [...document.querySelectorAll<HTMLElement>(".cards li:not([hidden])")].slice(0, 6);
    const card = list[Math.floor(Math.random() * list.length)];
    if (!card) return undefined;
    const { left, width } = card.getBoundingClientRect();
    return { id: card.id, pan: Math.max(-0.8, Math.min(0.8, ((left + width / 2) / innerWidth) * 2 - 1)) };
  }
}
