/** What the data scripts hand over; site/viewing.py writes it. Paths are relative to the root of the site. */

export interface Source { type: string; srcset: [path: string, width: number][] }
export interface PictureData { width: number; height: number; sources: Source[]; placeholder: string; tint: number; master: string }
export interface CallData {
  flac: string; opus: string; m4a: string; seconds: number; rate: number; loop: [start: number, end: number];
  spectrogram: string; script: string; voices: string;
}
export interface Word { text: string; parts: string; gloss: string; ipa: string }
export interface PhraseData { text: string; words: Word[]; english: string; intent: string; mood: string; provenance: string }
export interface GlyphsData { text: string; width: number; height: number; paths: string[] }
export interface Card {
  id: string; number: number; page: string; share: string; volume: string; name: string; binomial: string; habitat: string; traits: string[];
  own_name: string; language: string; family: string; alt: string; call_in_words: string; notes: string; postmark: [place: string, date: string];
  mix: string; tilt: number; picture: PictureData; call: CallData; phrases: PhraseData[]; stamp: GlyphsData;
  colours: { name: string; hex: string; share: number }[]; facts: [label: string, value: string][]; previous: string; next: string;
}
/** A row of search.js. */
export type Row = [id: string, number: number, name: string, binomial: string, own: string, text: string, volume: string];
