/** The page with the animals: find, choose, order, star, listen, open. */

import { all, h, one, press, root, save, toast } from "./dom";
import { Chorus } from "./chorus";
import { bytes, load, rows } from "./loader";
import { keep, stars } from "./memory";
import { openHelp, openSettings, volume } from "./slips";
import type { Row } from "./types";
import { address, shuffled } from "./share";
import { Viewer } from "./viewer";
import { zip } from "./zip";

interface Animal { id: string; item: HTMLElement; name: string; number: number; seconds: number; moods: string; place: string }

/** Lower case without accents, as search.js is written. */
export const folded = (text: string): string => text.toLowerCase().normalize("NFKD").replace(/\p{M}/gu, "").replace(/\s+/g, " ").trim();

/** Days since 1970: the seed of the order of a day. */
function daily(): () => number {
  let state = Math.floor(Date.now() / 86_400_000) >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0; // splitmix32
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32;
  };
}

export class Guide {
  private readonly animals: Animal[];
  private readonly viewer: Viewer;
  private readonly chorus: Chorus;
  private found: Row[] | undefined;
  private mood = "";
  private starred = false;

  constructor() {
    this.animals = all(".cards > li").map((item) => ({
      id: item.id,
      item,
      name: one("b", item)?.textContent ?? item.id,
      number: Number(item.dataset["n"]),
      seconds: Number(item.dataset["s"]),
      moods: ` ${item.dataset["m"] ?? ""}`,
      place: item.dataset["at"] ?? "",
    }));
    this.viewer = new Viewer({ order: () => this.shown(), changed: () => this.refresh() });
    this.chorus = new Chorus((id) => this.animals.find((one) => one.id === id)?.name ?? "Somebody", (line, id) => this.calls(line, id));
    this.listen();
    this.refresh();
    this.route();
  }

  private listen(): void {
    one("main")?.addEventListener("click", (event) => this.clicked(event));
    one("#q")?.addEventListener("focus", () => void rows().catch(() => undefined), { once: true });
    one("#q")?.addEventListener("input", () => void this.search());
    for (const id of ["sort", "habitat"]) one(`#${id}`)?.addEventListener("change", () => this.refresh());
    for (const input of all<HTMLInputElement>('[data-set="volume"]')) volume(input);
    addEventListener("hashchange", () => this.route());
    addEventListener("popstate", () => this.route());
    addEventListener("error", (event) => this.lost(event), true);
  }

  private clicked(event: MouseEvent): void {
    const target = event.target as Element;
    const made = target.closest<HTMLElement>("button");
    if (made?.dataset["mood"] !== undefined) {
      this.mood = made.dataset["mood"];
      for (const other of all(".chips [data-mood]")) press(other, other === made);
      return this.refresh();
    }
    if (made?.dataset["do"]) return this.act(made.dataset["do"]);
    const link = target.closest<HTMLAnchorElement>("a.postcard, .elsewhere a");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey || event.button) return;
    event.preventDefault();
    void this.viewer.show(link.dataset["id"] ?? link.parentElement!.id, link);
  }

  /** What a button of the page or a key asks for; false if it is nothing of this page. */
  act(what: string): void {
    if (what === "settings") return openSettings();
    if (what === "help") return openHelp();
    if (what === "listen") return this.chorus.toggle();
    if (what === "surprise") return void this.surprise();
    if (what === "search") return one("#q")?.focus();
    if (what === "starred") return this.onlyStarred();
    if (what === "selection") return void this.selection();
    if (what === "clear") return this.clear();
    if (this.viewer.id) this.viewer.act(what);
  }

  private calls(line: string, id: string): void {
    const made = one('[data-do="listen"]');
    press(made, this.chorus.on);
    const word = one('[data-say="listen"]');
    if (word) word.textContent = this.chorus.on ? "Hush the jungle" : "Let the jungle in";
    const now = one('[data-say="now"]');
    if (now) now.textContent = line || "It is silent again.";
    for (const animal of this.animals) animal.item.classList.toggle("calling", animal.id === id);
  }

  private async surprise(): Promise<void> {
    const list = await rows().then((found) => found.map(([id]) => id), () => this.shown());
    const others = list.filter((id) => id !== this.viewer.id);
    const id = others[Math.floor(Math.random() * others.length)] ?? list[0];
    if (id) void this.viewer.show(id);
  }

  private async search(): Promise<void> {
    const box = one<HTMLInputElement>("#q");
    const words = folded(box?.value ?? "").split(" ").filter(Boolean);
    try {
      const list = words.length ? await rows() : undefined;
      if (folded(box?.value ?? "") !== words.join(" ")) return; // typed on since
      this.found = list?.filter((row) => words.every((word) => row[5].includes(word)));
    } catch {
      toast("The index did not arrive: only names can be found.");
      this.found = this.animals
        .filter(({ name }) => words.every((word) => folded(name).includes(word)))
        .map(({ id, number, name }) => [id, number, name, "", "", "", ""]);
    }
    this.refresh();
  }

  private clear(): void {
    const box = one<HTMLInputElement>("#q");
    const habitat = one<HTMLSelectElement>("#habitat");
    if (box) box.value = "";
    if (habitat) habitat.value = "";
    this.found = undefined;
    this.starred = false;
    press(one('[data-do="starred"]'), false);
    one('[data-mood=""]')?.click();
    box?.focus();
  }

  private onlyStarred(): void {
    this.starred = !this.starred;
    press(one('[data-do="starred"]'), this.starred);
    this.refresh();
  }

  /** Ids of the animals that are shown, in their order. */
  private shown(): string[] {
    return all(".cards > li:not([hidden])").map((item) => item.id);
  }

  /** Show what was asked for, in the order that was asked for. */
  private refresh(): void {
    const ids = this.found && new Set(this.found.map(([id]) => id));
    const habitat = one<HTMLSelectElement>("#habitat")?.value ?? "";
    let count = 0;
    for (const animal of this.animals) {
      const fits =
        (!ids || ids.has(animal.id)) &&
        (!habitat || animal.place === habitat) &&
        (!this.mood || animal.moods.includes(` ${this.mood} `)) &&
        (!this.starred || stars.has(animal.id));
      animal.item.hidden = !fits;
      animal.item.classList.toggle("starred", stars.has(animal.id));
      count += Number(fits);
    }
    this.order(one<HTMLSelectElement>("#sort")?.value ?? "number");
    const others = (this.found ?? []).filter(([id]) => !document.getElementById(id));
    one(".elsewhere")?.replaceChildren(...others.slice(0, 60).map(([id, , name]) => h("li", {}, h("a", { href: `${root()}c/${id}.html`, "data-id": id }, name))));
    one(".elsewhere")?.toggleAttribute("hidden", !others.length);
    one(".nobody")?.toggleAttribute("hidden", count + others.length > 0);
    const everybody = count === this.animals.length;
    const said = one('[data-say="found"]');
    if (said) said.textContent = everybody ? "" : `${count + others.length} of them ${count + others.length === 1 ? "answers" : "answer"}.`;
    const number = one('[data-say="stars"]');
    if (number) number.textContent = String(stars.size);
    one('[data-do="selection"]')?.toggleAttribute("hidden", !stars.size);
  }

  private order(by: string): void {
    const decks = all(".cards");
    const size = Math.max(...decks.map((deck) => deck.children.length), 1);
    let list = [...this.animals].sort((a, b) => a.number - b.number);
    if (by === "name") list.sort((a, b) => a.name.localeCompare(b.name, "en"));
    else if (by === "seconds") list.sort((a, b) => b.seconds - a.seconds);
    else if (by === "day") list = shuffled(list, daily());
    if (list.every((animal, at) => decks[Math.floor(at / size)]?.children[at % size] === animal.item)) return;
    decks.forEach((deck, at) => deck.replaceChildren(...list.slice(at * size, (at + 1) * size).map(({ item }) => item)));
  }

  /** A picture that does not come leaves its card where it is. */
  private lost(event: Event): void {
    const { target } = event;
    if (!(target instanceof HTMLImageElement) || !target.closest(".postcard")) return;
    one("bdi", target.closest(".postcard")!)?.setAttribute("title", "Its picture is lost in the rain.");
  }

  private route(): void {
    const id = /^#\/([a-z0-9-]{1,64})$/.exec(location.hash)?.[1];
    if (id && id !== this.viewer.id) void this.viewer.show(id, document.getElementById(id)?.querySelector("a") ?? null);
    else if (!id && this.viewer.id) this.viewer.close();
  }

  /** A zip of what was starred, made here: names and recipes, calls, and pictures where the browser may read them. */
  private async selection(): Promise<void> {
    toast("Packing …");
    const list: Record<string, unknown>[] = [];
    const files: [string, Uint8Array<ArrayBuffer>][] = [];
    for (const id of stars) {
      try {
        const card = await load("card", id);
        const { name, binomial, own_name, mix, facts, page } = card;
        list.push({ id, name, binomial, own_name, mix, page: address(page), recipe: Object.fromEntries(facts) });
        files.push([`jungle/${id}.flac`, bytes(await load("call", id))]);
        if (location.protocol !== "file:") {
          const { master } = card.picture;
          const answer = await fetch(root() + master);
          if (answer.ok) files.push([`jungle/${id}.${master.split(".").pop() ?? ""}`, new Uint8Array(await answer.arrayBuffer())]);
        }
      } catch {
        list.push({ id, missing: true });
      }
    }
    const text = `${JSON.stringify({ jungle: 1, selected: list }, null, 1)}\n`;
    files.unshift(["jungle/selection.json", new TextEncoder().encode(text)]);
    const blob = new Blob(zip(files));
    save("my-selection.zip", blob, "application/zip");
    keep();
    toast(`${list.length} ${list.length === 1 ? "animal is" : "animals are"} packed.`);
  }
}
