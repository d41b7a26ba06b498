/**
 * Why a job took the time it took, in words. The first sentence names the one thing to look at; the others qualify it.
 * It speaks of the same critical path that is painted: by seconds, or by tokens.
 */

import { type Branch, isOver, type ReasoningGraph } from "../journal/graph";
import { counted, tokens } from "../words";
import { causes } from "./causes";
import type { Measure } from "./criticalPath";
import { startOf } from "./phases";
import type { Sentence } from "./sentence";
import { troubles } from "./troubles";

export function explain(graph: ReasoningGraph, measure: Measure = "seconds"): Sentence[] {
  if (graph.status === "queued") return [["Waiting for an organizer to claim it."]];
  const waiting = graph.approvals.find((approval) => approval.to === null);
  const sentences: Sentence[] = [];
  if (graph.status === "failed" && graph.error)
    sentences.push([`The job failed: ${lower(graph.error.title)}.`]);
  if (graph.status === "cancelled") sentences.push([`Cancelled: ${graph.error?.detail ?? "by request"}.`]);
  if (waiting && !isOver(graph.status))
    sentences.push([`Waiting for a person to decide on the ${waiting.gate}. ${meanwhile(graph)}`]);
  if (!isOver(graph.status) && !waiting) sentences.push(progress(graph));
  if (isOver(graph.status)) sentences.push(...causes(graph, measure));
  sentences.push(...troubles(graph));
  return sentences;
}

function meanwhile(graph: ReasoningGraph): string {
  const decoding = [...graph.branches.values()].filter((branch) => branch.openSegments > 0).length;
  return decoding === 0
    ? "Nothing is being decoded meanwhile."
    : `Meanwhile ${counted(decoding, "branch")} ${decoding === 1 ? "is" : "are"} being decoded.`;
}

function progress(graph: ReasoningGraph): Sentence {
  const children = [...graph.branches.values()].filter((branch) => branch.parent !== null);
  const live = children.filter((branch) => branch.endedAt === null);
  if (children.length === 0) return ["Running: the trunk is decoding, nothing has forked yet."];
  if (live.length === 0)
    return [`Running: all ${counted(children.length, "branch")} have ended, the trunk goes on.`];
  const slowest = live.reduce((a, b) => (startedAt(graph, a) <= startedAt(graph, b) ? a : b));
  return [
    `Running: ${tokens(children.length - live.length)} of ${counted(children.length, "branch")} ${children.length === 1 ? "has" : "have"} ended; `,
    { branch: slowest.id },
    " has been at work the longest.",
  ];
}

function startedAt(graph: ReasoningGraph, branch: Branch): number {
  const first = graph.nodes.get(branch.nodes[0] ?? "");
  return first ? startOf(first) : Number.POSITIVE_INFINITY;
}

function lower(title: string): string {
  return title.charAt(0).toLowerCase() + title.slice(1).replace(/\.$/, "");
}
