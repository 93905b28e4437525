/** The dialog in which a card is looked at, turned over and heard; and the walk from card to card. */

import { all, button, copy, h, one, press, root, save, toast } from "./dom";
import { back, front, notes } from "./faces";
import { bytes, load, rows } from "./loader";
import { keep, settings, stars, still } from "./memory";
import { share, shuffled } from "./share";
import * as sound from "./sound";
import type { Card } from "./types";

const STEP = 9000; // ms between cards of a walk that goes by itself
const SWIPE = 48; // px

export interface Walk { order(): string[]; changed(): void }

/** One dialog for all cards. It is made when the first card is opened. */
export class Viewer {
  readonly dialog = h("dialog.viewer", { "aria-labelledby": "shown" });
  private readonly stage = h("div.stage");
  private readonly where = h("p.where", {});
  private card: Card | undefined;
  private leaf = h("div.leaf");
  private walking = 0;
  private sounding = false; // whether the next card shall call, too
  private opener: HTMLElement | null = null;
  private mixed: string[] | undefined;

  constructor(private readonly walk: Walk) {
    this.dialog.append(
      h(
        "div.bar.top",
        {},
        button("close", "close", "Back to the guide"),
        this.where,
        button("shuffle", "shuffle", "Shuffle", { "aria-pressed": "false" }),
        button("walk", "walk", "Walk by itself", { "aria-pressed": "false" }),
        button("mute", "mute", "Mute", { "aria-pressed": String(settings.muted) }),
        button("star", "star", "Star", { "aria-pressed": "false" }),
      ),
      this.stage,
      h(
        "div.bar.bottom",
        { role: "toolbar", "aria-label": "The card" },
        button("previous", "previous", "Previous"),
        button("turn", "turn", "Turn over", { "aria-pressed": "false" }),
        button("play", "play", "Hear it", { class: "seal", "aria-pressed": "false" }),
        button("meaning", "meaning", "Translation", { "aria-pressed": String(settings.meanings) }),
        button("ipa", "sound", "IPA", { "aria-pressed": String(settings.ipas) }),
        button("next", "next", "Next"),
      ),
      h("p.toast", { role: "status", "aria-live": "polite" }),
    );
    for (const made of all("button", this.dialog)) made.title = made.textContent ?? "";
    document.body.append(this.dialog);
    this.dialog.addEventListener("click", (event) => {
      const target = (event.target as Element).closest<HTMLElement>("[data-do]");
      if (target && target.tagName === "BUTTON") this.act(target.dataset["do"] ?? "", Number(target.dataset["at"] ?? 0));
    });
    this.dialog.addEventListener("cancel", (event) => {
      event.preventDefault();
      this.close();
    });
    this.swipes();
    sound.watch(() => this.hears());
  }

  get id(): string {
    return this.dialog.open ? (this.card?.id ?? "") : "";
  }

  /** Show a card, opening the dialog if it is closed. */
  async show(id: string, opener: HTMLElement | null = null): Promise<void> {
    if (!this.dialog.open) {
      this.opener = opener ?? (document.activeElement as HTMLElement | null);
      this.stage.replaceChildren(h("p.waiting", { id: "shown" }, "Looking for it …"));
      this.dialog.showModal();
    }
    try {
      const card = await load("card", id);
      if (this.dialog.open) this.lay(card);
    } catch {
      const again = h("button.quiet", { type: "button" }, "Try again");
      again.onclick = () => void this.show(id);
      this.stage.replaceChildren(h("div.waiting", {}, h("h2", { id: "shown" }, "Lost in the rain"), h("p", {}, "This card did not arrive."), again));
    }
  }

  close(): void {
    if (!this.dialog.open) return;
    this.stroll(false);
    sound.stop();
    this.sounding = false;
    this.dialog.close();
    if (location.hash) history.replaceState(null, "", location.pathname + location.search);
    const there = this.card && document.getElementById(this.card.id);
    (there ? one("a", there) : this.opener)?.focus({ preventScroll: false });
    this.walk.changed();
  }

  private lay(card: Card): void {
    const turned = this.leaf.classList.contains("turned");
    this.card = card;
    this.leaf = h("div.leaf", {}, front(card), back(card));
    this.stage.replaceChildren(h("div", {}, h("div.turner", {}, this.leaf), notes(card)));
    this.stage.scrollTop = 0;
    this.turn(turned);
    this.shows();
    const order = this.order();
    const place = order.indexOf(card.id);
    this.where.textContent = place < 0 ? `№ ${card.number}` : `${place + 1} of ${order.length}`;
    press(one('[data-do="star"]', this.dialog), stars.has(card.id));
    if (location.hash !== `#/${card.id}`) history[location.hash ? "replaceState" : "pushState"](null, "", `#/${card.id}`);
    if (this.sounding) void this.sing();
    else this.hears();
    void load("card", this.beside(1)).catch(() => undefined); // so that the next step is instant
  }

  /** Turn to the back, or to the front. */
  private turn(over: boolean): void {
    this.leaf.classList.toggle("turned", over);
    const [fore, rear] = this.leaf.children as unknown as [HTMLElement, HTMLElement];
    fore.inert = over;
    rear.inert = !over;
    press(one('[data-do="turn"]', this.dialog), over);
  }

  private shows(): void {
    this.leaf.classList.toggle("meanings", settings.meanings);
    this.leaf.classList.toggle("ipas", settings.ipas);
    press(one('[data-do="meaning"]', this.dialog), settings.meanings);
    press(one('[data-do="ipa"]', this.dialog), settings.ipas);
  }

  private order(): string[] {
    return this.mixed ?? this.walk.order();
  }

  private beside(step: number): string {
    const order = this.order();
    const place = order.indexOf(this.card?.id ?? "");
    if (place < 0) return (step > 0 ? this.card?.next : this.card?.previous) ?? order[0] ?? "";
    return order[(place + step + order.length) % order.length] ?? "";
  }

  /** Everything a button or a key can ask for. */
  act(what: string, at = 0): void {
    const card = this.card;
    if (what === "close") return this.close();
    if (!card) return;
    if (what === "previous") return void this.show(this.beside(-1));
    if (what === "next") return void this.show(this.beside(1));
    if (what === "turn") return this.turn(!this.leaf.classList.contains("turned"));
    if (what === "play") return this.toggle();
    if (what === "mute") return sound.mute(!settings.muted);
    if (what === "meaning" || what === "ipa") return this.reveal(what);
    if (what === "star") return this.star(card);
    if (what === "shuffle") return void this.shuffle();
    if (what === "walk") return this.stroll(!this.walking);
    if (what === "say") return void this.say(card, at);
    if (what === "copy") return void copy(card.phrases[at]?.text ?? "", "The phrase is copied.");
    if (what === "picture") return this.download(root() + card.picture.master, card);
    if (what === "call") return void this.saveCall(card);
    if (what === "share") return void share(card);
  }

  private toggle(): void {
    this.sounding = !sound.playing();
    if (this.sounding) {
      sound.open();
      void this.sing();
    } else sound.stop();
  }

  private async sing(): Promise<void> {
    const { card } = this;
    if (!card) return;
    try {
      await sound.play(card.id, card.call);
      void load("call", this.beside(1)).catch(() => undefined);
    } catch {
      toast("This call could not be loaded; the rest of the card still works.");
    }
  }

  private async say(card: Card, at: number): Promise<void> {
    sound.open();
    try {
      const voices = await load("voice", card.id);
      const text = voices[at];
      if (!text) return toast("Nobody has spoken this phrase yet.");
      const seconds = await sound.once(`${card.id}/${at}`, text, 1);
      sound.duck(seconds);
      const line = all(".phrase", this.leaf)[at];
      line?.classList.add("speaking");
      setTimeout(() => line?.classList.remove("speaking"), 1000 * seconds);
    } catch {
      toast("The voice did not arrive.");
    }
  }

  private reveal(what: "meaning" | "ipa"): void {
    if (what === "meaning") settings.meanings = !settings.meanings;
    else settings.ipas = !settings.ipas;
    keep();
    this.shows();
    if (!this.leaf.classList.contains("turned")) this.turn(true);
  }

  private star(card: Card): void {
    stars.has(card.id) ? stars.delete(card.id) : stars.add(card.id);
    keep();
    press(one('[data-do="star"]', this.dialog), stars.has(card.id));
    toast(stars.has(card.id) ? `${card.name} is starred.` : `${card.name} is not starred any more.`);
    this.walk.changed();
  }

  private async shuffle(): Promise<void> {
    if (this.mixed) this.mixed = undefined;
    else this.mixed = shuffled((await rows().catch(() => [])).map(([id]) => id));
    press(one('[data-do="shuffle"]', this.dialog), this.mixed !== undefined);
    toast(this.mixed ? "The walk goes anywhere now." : "The walk goes in order.");
  }

  private stroll(on: boolean): void {
    clearInterval(this.walking);
    this.walking = on ? window.setInterval(() => document.hidden || void this.show(this.beside(1)), STEP) : 0;
    press(one('[data-do="walk"]', this.dialog), on);
    if (on) toast("Walking by itself: the same button stops it.");
  }

  private download(address: string, card: Card): void {
    h("a", { href: address, download: `${card.id}.${address.split(".").pop() ?? ""}` }).click();
  }

  private async saveCall(card: Card): Promise<void> {
    try {
      save(`${card.id}.flac`, bytes(await load("call", card.id)), "audio/flac");
    } catch {
      toast("This call could not be loaded.");
    }
  }

  private swipes(): void {
    let from: { x: number; y: number } | undefined;
    this.stage.addEventListener("pointerdown", (event) => {
      from = event.pointerType === "mouse" ? undefined : { x: event.clientX, y: event.clientY };
    });
    this.stage.addEventListener("pointerup", (event) => {
      if (!from) return;
      const [dx, dy] = [event.clientX - from.x, event.clientY - from.y];
      from = undefined;
      if (Math.abs(dx) > SWIPE && Math.abs(dx) > 2 * Math.abs(dy)) this.act(dx < 0 ? "next" : "previous");
      else if (Math.hypot(dx, dy) < 6 && (event.target as Element).closest(".front")) this.act("turn");
    });
    this.stage.addEventListener("pointercancel", () => (from = undefined));
  }

  /** Show what sounds: the button, the line that runs over the spectrogram, and a picture that breathes with the call. */
  private hears(): void {
    const on = sound.playing() !== "";
    const play = one('[data-do="play"]', this.dialog);
    press(play, on);
    const word = play && one(".word", play);
    if (word) word.textContent = on ? "Hush" : "Hear it";
    press(one('[data-do="mute"]', this.dialog), settings.muted);
    if (on) requestAnimationFrame(() => this.follow());
  }

  private follow(): void {
    const card = this.card;
    const line = one<HTMLElement>(".playhead", this.leaf);
    const on = this.dialog.open && card !== undefined && sound.playing() === card.id;
    if (line) line.style.setProperty("--seen", on ? "1" : "0");
    if (!on || !card) return this.leaf.style.removeProperty("--breath") as unknown as void;
    const { at, peak } = sound.now();
    if (line) line.style.setProperty("--at", ((at / card.call.seconds) * line.clientWidth).toFixed(1));
    if (!still()) this.leaf.style.setProperty("--breath", (1 + 0.01 * Math.min(1, peak)).toFixed(4));
    requestAnimationFrame(() => this.follow());
  }
}
