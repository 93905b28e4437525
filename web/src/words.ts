/** The dictionary's filter. */

import { all, one } from "./dom";
import { folded } from "./guide";

export function filterWords(): void {
  const box = one<HTMLInputElement>("#find");
  const said = one('[data-say="words"]');
  const rows = all(".lexicon tbody tr").map((row) => ({ row, text: folded(row.textContent ?? "") }));
  box?.addEventListener("input", () => {
    const words = folded(box.value).split(" ").filter(Boolean);
    let count = 0;
    for (const { row, text } of rows) {
      row.hidden = !words.every((word) => text.includes(word));
      count += Number(!row.hidden);
    }
    if (said) said.textContent = words.length ? `${count} of ${rows.length}` : "";
  });
}
