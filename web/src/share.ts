/** Addresses for other people, and orders that chance decides. */

import { copy, root } from "./dom";
import type { Card } from "./types";

/** A fair shuffle (Fisher and Yates). */
export function shuffled<T>(list: readonly T[], random: () => number = Math.random): T[] {
  const made = [...list];
  for (let at = made.length - 1; at > 0; at--) {
    const other = Math.floor(random() * (at + 1));
    [made[at], made[other]] = [made[other]!, made[at]!];
  }
  return made;
}

/** The address of a card, for other people. */
export const address = (page: string): string => new URL(root() + page, location.href).href;

export async function share(card: Card): Promise<void> {
  const url = address(card.page);
  if (typeof navigator.share === "function") {
    try {
      return await navigator.share({ title: card.name, text: card.call_in_words, url });
    } catch (error) {
      if ((error as Error).name === "AbortError") return;
    }
  }
  await copy(url, "The address of this card is copied.");
}
