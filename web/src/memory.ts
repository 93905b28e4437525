/** What this browser remembers: settings and stars. Where storage is refused, a visit remembers for itself. */

export interface Settings {
  theme: "system" | "paper" | "night"; motion: "system" | "less"; size: "normal" | "large" | "larger";
  keys: boolean; meanings: boolean; ipas: boolean; volume: number; muted: boolean;
}
const FIRST: Settings = { theme: "system", motion: "system", size: "normal", keys: true, meanings: false, ipas: false, volume: 80, muted: false };
const PLACE = "jungle";

function read(): { settings: Settings; stars: Set<string> } {
  try {
    const kept = JSON.parse(localStorage.getItem(PLACE) ?? "{}") as { settings?: Partial<Settings>; stars?: unknown };
    const stars = Array.isArray(kept.stars) ? kept.stars.filter((id): id is string => typeof id === "string") : [];
    return { settings: { ...FIRST, ...kept.settings }, stars: new Set(stars) };
  } catch {
    return { settings: { ...FIRST }, stars: new Set() };
  }
}

export const { settings, stars } = read();

/** Keep everything; called after a change. */
export function keep(): void {
  try {
    localStorage.setItem(PLACE, JSON.stringify({ settings, stars: [...stars] }));
  } catch {
    // private windows may refuse: the visit goes on without
  }
}

/** Put the settings that the style sheet knows on the root element, before anything is painted. */
export function dress(): void {
  const { dataset } = document.documentElement;
  dataset["theme"] = settings.theme;
  dataset["size"] = settings.size;
  dataset["motion"] = settings.motion;
}

/** Whether things should hold still. */
export const still = (): boolean => settings.motion === "less" || matchMedia("(prefers-reduced-motion: reduce)").matches;
