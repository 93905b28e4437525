/** Building elements. Text only ever becomes text: nothing here parses HTML. */

type Child = Node | string;
type Attributes = Record<string, string | number | boolean>;
const SVG = "http://www.w3.org/2000/svg";

function fill<T extends Element>(made: T, attributes: Attributes, children: Child[]): T {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== false) made.setAttribute(name, value === true ? "" : String(value));
  }
  made.append(...children);
  return made;
}

type Named<T extends string> = T extends `${infer Name}.${string}` ? Named<Name> : T extends keyof HTMLElementTagNameMap ? HTMLElementTagNameMap[T] : HTMLElement;

/** An element: `h("p.label", {}, "From")`. */
export function h<T extends string>(tag: T, attributes: Attributes = {}, ...children: Child[]): Named<T> {
  const [name = "div", ...classes] = tag.split(".");
  const made = document.createElement(name);
  if (classes.length) made.className = classes.join(" ");
  return fill(made, attributes, children) as Named<T>;
}

/** An SVG element. */
export function s(name: string, attributes: Attributes = {}, ...children: Child[]): SVGElement {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

/** Text of unknown direction, kept from turning what stands around it. */
export const bdi = (text: string, attributes: Attributes = {}): HTMLElement => h("bdi", attributes, text);

const ICONS: Record<string, string> = {
  play: "M4 9.500v5h3.500L12 18.500v-13L7.5 9.500ZM15 9.200a4 4 0 0 1 0 5.600M17.6 6.800a7.4 7.4 0 0 1 0 10.4",
  turn: "M4 12a8 8 0 0 1 13.7-5.600L20 8.700M20 4v4.700h-4.700M20 12a8 8 0 0 1-13.7 5.600L4 15.300M4 20v-4.700h4.7",
  previous: "M15 5l-7 7 7 7",
  next: "M9 5l7 7-7 7",
  close: "M6 6l12 12M18 6L6 18",
  star: "M12 3.800l2.5 5.3 5.8.8-4.2 4 1 5.7-5.1-2.8-5.1 2.8 1-5.7-4.2-4 5.8-.8Z",
  meaning: "M4 5h9M8.5 3v2M11.5 5c-.8 4-3.7 7-7 8.500M6 8.500c1.2 2.4 3 4 5.5 5M12.5 20l4-10 4 10M14 16.500h5",
  sound: "M5 6v12M19 6v12M8 9h8M8 15h8",
  shuffle: "M3 7h3.500c4.5 0 6 10 11 10H21M18 14l3 3-3 3M3 17h3.500c1.6 0 2.8-1.2 3.8-2.800M21 7h-3.500c-1.6 0-2.8 1.2-3.8 2.800M18 4l3 3-3 3",
  walk: "M12 3a9 9 0 1 0 9 9M12 7v5l3.5 2",
  copy: "M9 9h10v11H9ZM15 9V4H5v11h4",
  say: "M4 6h16v10h-8l-4.5 4v-4H4Z",
  share: "M12 15V3M8 6.500L12 3l4 3.500M6 11H5v10h14V11h-1",
  mute: "M4 9.500v5h3.500L12 18.500v-13L7.5 9.500ZM16 9.500l5 5M21 9.500l-5 5",
};

/** A drawn sign; the button around it says what it does. */
export const icon = (name: string): SVGElement =>
  s("svg", { viewBox: "0 0 24 24", "aria-hidden": "true", focusable: "false" }, s("path", { d: ICONS[name] ?? "" }));

/** A button with a sign, a word, and perhaps a state that can be pressed. */
export function button(action: string, sign: string, word: string, attributes: Attributes = {}): HTMLButtonElement {
  const made = h("button", { type: "button", "data-do": action, ...attributes });
  if (sign) made.append(icon(sign));
  made.append(h("span.word", {}, word));
  return made;
}

export const one = <T extends Element = HTMLElement>(selector: string, root: ParentNode = document): T | null => root.querySelector<T>(selector);
export const all = <T extends Element = HTMLElement>(selector: string, root: ParentNode = document): T[] => [...root.querySelectorAll<T>(selector)];
export const press = (target: Element | null, on: boolean): void => target?.setAttribute("aria-pressed", String(on));

/** Where the root of the site lies from this page: "" or "../". */
export const root = (): string => document.documentElement.dataset["root"] ?? "";

let fading = 0;
/** A short word to everybody, also to those who listen. */
export function toast(text: string): void {
  const place = one(".viewer[open] .toast") ?? one("body > .toast");
  if (!place) return;
  place.textContent = text;
  place.classList.add("shown");
  clearTimeout(fading);
  fading = window.setTimeout(() => place.classList.remove("shown"), 3500);
}

/** Save bytes or text as a file. */
export function save(name: string, content: BlobPart, type: string): void {
  const address = URL.createObjectURL(new Blob([content], { type }));
  h("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 20_000);
}

/** Copy text; where the browser refuses, say what to do. */
export async function copy(text: string, done: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    toast(done);
  } catch {
    toast(`Your browser does not let pages copy. Here it is: ${text}`);
  }
}
