/** Sound: decoded samples, looped to the sample by an AudioBufferSourceNode, one call melting into the next.
 *
 * A media element leaves a hole at every repeat, and its samples cannot be analysed on file://: calls are decoded from bytes instead.
 * The context runs at 48 kHz, the rate of the calls, so that nothing is resampled at the seam. It is made inside the first click.
 */

import { bytes, load } from "./loader";
import { keep, settings } from "./memory";
import type { CallData } from "./types";

const RATE = 48_000;
const MELT = 0.4; // s, from one card's call to the next
const EDGE = 0.02; // s, start and stop
const KEPT = 8; // decoded calls

interface Voice { id: string; source: AudioBufferSourceNode; gain: GainNode; begun: number; length: number; from: number }

let context: AudioContext | undefined;
let master: GainNode;
let analyser: AnalyserNode;
let current: Voice | undefined;
let wanted = ""; // the call that was asked for last: slower ones that arrive after it stay silent
const decoded = new Map<string, Promise<AudioBuffer>>();
const watchers = new Set<() => void>();

/** A source that repeats [start, end) samples of a buffer without a gap; in any context, also an offline one. */
export function looped(on: BaseAudioContext, buffer: AudioBuffer, loop: readonly [number, number]): AudioBufferSourceNode {
  const source = on.createBufferSource();
  source.buffer = buffer;
  source.loop = true;
  if (loop[1] > loop[0]) {
    source.loopStart = loop[0] / buffer.sampleRate;
    source.loopEnd = loop[1] / buffer.sampleRate;
  }
  return source;
}

/** Fade a gain along a quarter of a sine, so that two unrelated sounds keep their power while they cross. */
export function fade(gain: AudioParam, at: number, seconds: number, up: boolean, level = 1): void {
  const curve = Float32Array.from({ length: 65 }, (_, i) => level * Math.sin(((up ? i : 64 - i) / 64) * (Math.PI / 2)));
  gain.cancelScheduledValues(at);
  gain.setValueCurveAtTime(curve, at, seconds);
}

/** Open the ears; call it inside a click. A context that may not sound yet is not waited for: it never answers. */
export function open(): AudioContext {
  if (!context) {
    context = new AudioContext({ sampleRate: RATE });
    master = context.createGain();
    analyser = context.createAnalyser();
    analyser.fftSize = 1024;
    master.connect(analyser).connect(context.destination);
    loudness();
  }
  if (context.state === "suspended") void context.resume();
  return context;
}

/** How loud it is out there, from the settings. */
export function loudness(): void {
  if (context) master.gain.setTargetAtTime(settings.muted ? 0 : (settings.volume / 100) ** 2, context.currentTime, 0.015);
}

export function mute(on: boolean): void {
  settings.muted = on;
  keep();
  loudness();
  tell();
}

/** Call back when a call starts or stops, or the volume changes. */
export const watch = (back: () => void): void => void watchers.add(back);
const tell = (): void => watchers.forEach((back) => back());

function decode(key: string, text: string): Promise<AudioBuffer> {
  let promise = decoded.get(key);
  decoded.delete(key); // and set again: the order is that of use
  promise ??= open().decodeAudioData(bytes(text).buffer);
  decoded.set(key, promise);
  for (const old of decoded.keys()) {
    if (decoded.size <= KEPT) break;
    decoded.delete(old);
  }
  return promise;
}

/** The samples of a call. */
export const samples = async (id: string): Promise<AudioBuffer> => decode(id, await load("call", id));

function silence(voice: Voice, seconds: number): void {
  const now = open().currentTime;
  const risen = voice.begun + seconds > now; // still fading in: curves must not overlap
  voice.gain.gain.cancelScheduledValues(now);
  if (risen) voice.gain.gain.setTargetAtTime(0, now, seconds / 4);
  else fade(voice.gain.gain, now, seconds, false);
  voice.source.stop(now + seconds * (risen ? 2 : 1) + 0.01);
}

/** Loop a call; what sounded before melts into it. */
export async function play(id: string, call: CallData): Promise<void> {
  const ears = open();
  wanted = id;
  const buffer = await samples(id);
  if (wanted !== id || current?.id === id) return;
  const melt = Math.min(current ? MELT : EDGE, buffer.duration / 2);
  const gain = ears.createGain();
  const source = looped(ears, buffer, call.loop);
  source.connect(gain).connect(master);
  const now = ears.currentTime;
  fade(gain.gain, now, melt, true);
  source.start(now);
  if (current) silence(current, melt);
  const whole = call.loop[1] > call.loop[0] ? call.loop : [0, buffer.length];
  current = { id, source, gain, begun: now, length: (whole[1]! - whole[0]!) / buffer.sampleRate, from: whole[0]! / buffer.sampleRate };
  tell();
}

/** Stop the loop. */
export function stop(): void {
  wanted = "";
  if (current) silence(current, EDGE);
  current = undefined;
  tell();
}

/** The id of the call that loops now, "" for none. */
export const playing = (): string => current?.id ?? "";

/** Play something once, at a place between left (-1) and right (1); returns its seconds. */
export async function once(key: string, text: string, level: number, pan = 0, delay = 0): Promise<number> {
  const ears = open();
  const buffer = await decode(key, text);
  const source = ears.createBufferSource();
  const gain = ears.createGain();
  const side = ears.createStereoPanner();
  source.buffer = buffer;
  gain.gain.value = level;
  side.pan.value = pan;
  source.connect(gain).connect(side).connect(master);
  source.start(ears.currentTime + delay);
  return buffer.duration;
}

/** Quieten the loop for a while, so that a phrase can be heard over it. */
export function duck(seconds: number): void {
  if (!context || !current) return;
  const { gain } = current.gain;
  gain.cancelScheduledValues(context.currentTime);
  gain.setTargetAtTime(0.15, context.currentTime, 0.05);
  gain.setTargetAtTime(1, context.currentTime + seconds, 0.2);
}

/** The largest sample of the last 21 ms, 0 to 1, and where the loop is, in seconds of the file. */
export function now(): { peak: number; at: number; state: string } {
  if (!context) return { peak: 0, at: 0, state: "none" };
  const frame = new Float32Array(analyser.fftSize);
  analyser.getFloatTimeDomainData(frame);
  const peak = frame.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const past = current ? context.currentTime - current.begun : 0;
  const at = current ? (past < current.from + current.length ? past : current.from + ((past - current.from) % current.length)) : 0;
  return { peak, at, state: context.state };
}
