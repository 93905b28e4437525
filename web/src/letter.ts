/** The writing desk: a postcard whose message lives in the link alone, after "#", which no browser sends to a server. */

import { bdi, copy, h, one, toast } from "./dom";
import { front, postage } from "./faces";
import { load, rows } from "./loader";
import type { Card } from "./types";

export interface Letter { animal: string; to: string; message: string; sender: string }
const LIMITS = { to: 60, message: 600, sender: 60 } as const;
// C0 and C1 but the line feed, zero-width characters, and marks that turn the direction of what stands around them
const HIDDEN = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/gu;

const clean = (text: unknown, most: number): string =>
  [...String(text ?? "").normalize("NFC").replace(/\r\n?/g, "\n").replace(HIDDEN, "")].slice(0, most).join("");

async function through(stream: GenericTransformStream, data: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await new Response(new Blob([data]).stream().pipeThrough(stream)).arrayBuffer());
}

const to64 = (data: Uint8Array): string => btoa(String.fromCharCode(...data)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
const from64 = (text: string): Uint8Array<ArrayBuffer> => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (letter) => letter.charCodeAt(0));

/** The fragment of a letter: "#/read/ANIMAL/1.…", deflated where that is shorter. */
export async function written(letter: Letter): Promise<string> {
  const plain = new TextEncoder().encode(JSON.stringify([letter.to, letter.message, letter.sender]));
  let best = `0.${to64(plain)}`;
  if (typeof CompressionStream === "function") {
    const packed = `1.${to64(await through(new CompressionStream("deflate-raw"), plain))}`;
    if (packed.length < best.length) best = packed;
  }
  return `#/read/${letter.animal}/${best}`;
}

/** The letter in a fragment; undefined where there is none. Throws where it is damaged. */
export async function reading(fragment: string): Promise<Letter | undefined> {
  const match = /^#\/read\/([a-z0-9-]{1,64})\/([01])\.([\w-]{1,6000})$/.exec(fragment);
  if (!match) return undefined;
  const [, animal = "", form, text = ""] = match;
  const data = form === "1" ? await through(new DecompressionStream("deflate-raw"), from64(text)) : from64(text);
  const parts: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(data));
  if (!Array.isArray(parts)) throw new TypeError("no letter");
  return { animal, to: clean(parts[0], LIMITS.to), message: clean(parts[1], LIMITS.message), sender: clean(parts[2], LIMITS.sender) };
}

function drawn(card: Card, letter: Letter): HTMLElement {
  const sender = [bdi(letter.sender || "somebody")];
  return h(
    "div.letter",
    {},
    front(card),
    h(
      "div.face.back",
      {},
      postage(card, "letter", sender, letter.to || "you"),
      h("p.message", {}, bdi(letter.message || "Wish you were here.")),
      h("p.signed", {}, bdi(letter.sender)),
    ),
  );
}

export class Desk {
  private readonly form = one<HTMLFormElement>("#letter")!;
  private readonly stage = one('[data-say="letter"]')!;
  private turn = 0;

  constructor() {
    this.form.addEventListener("input", () => void this.draw());
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.draw().then((link) => copy(link, "The link is copied: paste it where you like."));
    });
    addEventListener("hashchange", () => location.reload());
    void this.start();
  }

  private async start(): Promise<void> {
    try {
      const letter = await reading(location.hash);
      if (letter) return await this.read(letter);
    } catch {
      toast("This letter was damaged on its way.");
    }
    const wanted = /^#\/to\/([a-z0-9-]{1,64})$/.exec(location.hash)?.[1];
    try {
      const list = await rows();
      const select = one<HTMLSelectElement>("#animal")!;
      select.replaceChildren(...list.map(([id, , name]) => h("option", { value: id }, name)));
      select.value = wanted && list.some(([id]) => id === wanted) ? wanted : (list[0]?.[0] ?? "");
      await this.draw();
    } catch {
      toast("The list of animals did not arrive.");
    }
  }

  private letter(): Letter {
    const data = new FormData(this.form);
    return {
      animal: String(data.get("animal") ?? ""),
      to: clean(data.get("to"), LIMITS.to),
      message: clean(data.get("message"), LIMITS.message),
      sender: clean(data.get("sender"), LIMITS.sender),
    };
  }

  private async draw(): Promise<string> {
    const mine = ++this.turn;
    const letter = this.letter();
    const [card, fragment] = await Promise.all([load("card", letter.animal), written(letter)]);
    const link = new URL(fragment, location.href.split("#")[0]).href;
    if (mine === this.turn) {
      this.stage.replaceChildren(drawn(card, letter));
      one<HTMLInputElement>("#link")!.value = link;
      one('[data-say="left"]')!.textContent = `${LIMITS.message - [...letter.message].length} letters left`;
    }
    return link;
  }

  private async read(letter: Letter): Promise<void> {
    const card = await load("card", letter.animal);
    one(".writing")!.classList.add("read");
    one('[data-say="desk"]')!.textContent = "A postcard for you";
    one('[data-say="why"]')!.textContent = `It comes from ${letter.sender || "somebody"}, by ${card.name}. Nobody else keeps a copy.`;
    const answer = h("a.quiet", { href: "send.html" }, "Write one, too");
    answer.addEventListener("click", (event) => {
      event.preventDefault();
      history.replaceState(null, "", location.pathname + location.search);
      location.reload();
    });
    this.stage.replaceChildren(drawn(card, letter), h("p.actions", {}, h("a.quiet", { href: card.page }, `Meet ${card.name}`), answer));
  }

  act(what: string): void {
    if (what === "print") return print();
    if (what === "share-letter") void this.draw().then((link) => this.share(link));
  }

  private async share(url: string): Promise<void> {
    if (typeof navigator.share === "function") {
      try {
        return await navigator.share({ title: "A postcard from the jungle", url });
      } catch (error) {
        if ((error as Error).name === "AbortError") return;
      }
    }
    await copy(url, "The link is copied: paste it where you like.");
  }
}
