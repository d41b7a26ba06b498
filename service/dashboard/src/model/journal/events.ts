/**
 * Journal events as the API sends them. A field that equals its default in `dag/events.py` may be missing, so what is
 * optional here reads as that default.
 */

import type { Message, Payloads } from "./events.generated";

export type * from "./events.generated";

export type Part = Message["parts"][number];

export type Kind = keyof Payloads;

interface Envelope<K extends Kind> {
  job: string;
  /** From 1, without gaps. */
  seq: number;
  epoch: number;
  /** RFC 3339, UTC. */
  at: string;
  kind: K;
  branch: string;
  payload: Payloads[K];
}

export type JournalEvent = { [K in Kind]: Envelope<K> }[Kind];

/** Unix seconds of an event. */
export function secondsOf(event: { at: string }): number {
  return Date.parse(event.at) / 1000;
}

/** The literal text of message parts; what stands for another branch's output is named. */
export function textOf(parts: Part[]): string {
  return parts.map((part) => (typeof part === "string" ? part : `[what ${part.branch} returned]`)).join("");
}
