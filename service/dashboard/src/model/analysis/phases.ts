/** How a node spent its time: in the queue, in prefill, decoding, or blocked. Seconds are Unix time. */

import type { GraphNode } from "../journal/graph";

export type Phase = "queue" | "prefill" | "decode" | "blocked";

export const PHASES: readonly Phase[] = ["queue", "prefill", "decode", "blocked"];

export interface Span {
  phase: Phase;
  from: number;
  to: number;
}

/** The node's spans in order of time. What has not ended lasts until `now`. */
export function spansOf(node: GraphNode, now: number): Span[] {
  if (node.kind === "join")
    return [{ phase: "blocked", from: node.asked, to: node.ended ?? Math.max(now, node.asked) }];
  if (!isWork(node)) return [];
  const end = node.ended ?? Math.max(now, node.asked);
  const { scheduled, first_token: firstToken } = node.timing;
  // While a segment is open the journal does not say yet whether it queues; it is shown as at work.
  const begun = clamp(scheduled || node.asked, node.ready, end);
  const decoding = clamp(firstToken || begun, begun, end);
  const spans: Span[] = [
    { phase: "queue", from: node.ready, to: begun },
    { phase: "prefill", from: begun, to: decoding },
    { phase: "decode", from: decoding, to: end },
  ];
  return spans.filter((span) => span.to > span.from);
}

/** What the node was doing at a moment of a stored job; null before it was asked for. */
export function phaseAt(node: GraphNode, moment: number): Phase | "done" | null {
  if (moment < node.ready) return null;
  for (const span of spansOf(node, moment)) if (moment < span.to) return span.phase;
  return "done";
}

/** Seconds spent in each phase. */
export function durations(node: GraphNode, now: number): Record<Phase, number> {
  const total: Record<Phase, number> = { queue: 0, prefill: 0, decode: 0, blocked: 0 };
  for (const span of spansOf(node, now)) total[span.phase] += span.to - span.from;
  return total;
}

export function startOf(node: GraphNode): number {
  return isWork(node) ? node.ready : node.asked;
}

/** Whether the node does something that takes tokens or time, unlike a point. */
export function isWork(node: GraphNode): boolean {
  return node.kind === "segment" || node.kind === "tool";
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), high);
}
