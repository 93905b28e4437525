/** Data comes as classic scripts, `JUNGLE.put(kind, id, value)`: pages opened from a disk may not read files in any other way. */

import { h, root } from "./dom";
import type { Card, Row } from "./types";

interface Kinds { card: Card; call: string; voice: string[]; search: Row[] }
type Kind = keyof Kinds;

const arrived = new Map<string, unknown>();
const coming = new Map<string, Promise<unknown>>();
const SAFE = /^(?:\.\.\/)?(?:search|c\/[a-z0-9-]{1,64}(?:\.call|\.voice)?)\.js$/;

const addresses = ((): { createScriptURL(address: string): unknown } => {
  const rules = {
    createScriptURL(address: string): string {
      if (!SAFE.test(address)) throw new TypeError(`${address} is no script of this site`);
      return address;
    },
  };
  const makers = (window as unknown as { trustedTypes?: { createPolicy(name: string, made: typeof rules): typeof rules } }).trustedTypes;
  return makers ? makers.createPolicy("jungle", rules) : rules;
})();

/** The other end of the data scripts. */
export function put(kind: string, id: string, value: unknown): void {
  arrived.set(`${kind}/${id}`, value);
}

/** What a data script holds; loaded once, asked again after a failure. */
export function load<K extends Kind>(kind: K, id: string): Promise<Kinds[K]> {
  const key = `${kind}/${id}`;
  const path = kind === "search" ? "search.js" : `c/${id}${kind === "card" ? "" : `.${kind}`}.js`;
  let promise = coming.get(key) as Promise<Kinds[K]> | undefined;
  if (!promise) {
    promise = new Promise<Kinds[K]>((resolve, reject) => {
      const script = h("script", { async: true });
      script.onload = () => {
        script.remove();
        arrived.has(key) ? resolve(arrived.get(key) as Kinds[K]) : reject(new Error(`${path} brought nothing`));
      };
      script.onerror = () => {
        script.remove();
        coming.delete(key);
        reject(new Error(`${path} did not come`));
      };
      script.src = addresses.createScriptURL(root() + path) as string;
      document.head.append(script);
    });
    coming.set(key, promise);
  }
  return promise;
}

/** All animals of all volumes. */
export const rows = (): Promise<Row[]> => load("search", "all");

/** Bytes from base64. */
export function bytes(text: string): Uint8Array<ArrayBuffer> {
  const letters = atob(text);
  const made = new Uint8Array(letters.length);
  for (let at = 0; at < letters.length; at++) made[at] = letters.charCodeAt(at);
  return made;
}
