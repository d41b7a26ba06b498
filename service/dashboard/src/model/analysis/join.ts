/** What each branch gave to a join, and what of it was cut before the joining branch read it. */

import type { Message } from "../journal/events";
import type { Branch, GraphNode, ReasoningGraph } from "../journal/graph";

export interface Contribution {
  branch: Branch;
  text: string;
  /** Characters that the reader never saw; 0 is all read. */
  cut: number;
  /** It ended after the join was satisfied, or had not ended. */
  late: boolean;
}

export function contributions(graph: ReasoningGraph, join: GraphNode): Contribution[] {
  if (!join.join) return [];
  const reader = readerOf(graph, join);
  const { joined, targets } = join.join;
  const rest = targets.filter((id) => !joined.includes(id));
  return [...joined, ...rest].flatMap((id) => {
    const branch = graph.branches.get(id);
    if (!branch) return [];
    const late = !joined.includes(id);
    return [
      { branch, text: branch.value || branch.cause, cut: late || !reader ? 0 : cutOf(branch, reader), late },
    ];
  });
}

/** The segment that reads what was joined: the next one of the joining branch. */
function readerOf(graph: ReasoningGraph, join: GraphNode): GraphNode | undefined {
  const nodes = graph.branches.get(join.branch)?.nodes ?? [];
  const next = nodes.slice(nodes.indexOf(join.id) + 1).find((id) => graph.nodes.get(id)?.kind === "segment");
  return next === undefined ? undefined : graph.nodes.get(next);
}

function cutOf({ id, value }: Branch, reader: GraphNode): number {
  const limit = limitIn(reader.messages, id);
  if (limit !== null) return Math.max(0, value.length - limit);
  const at = value.length > HEAD ? reader.inserted.indexOf(value.slice(0, HEAD)) : -1;
  if (at < 0 || reader.inserted.startsWith(value, at)) return 0;
  return Number(CUT.exec(reader.inserted.slice(at))?.[1] ?? 0);
}

/** How `dag/text/context.py` marks a cut. */
const CUT = /\[… (\d+) characters cut …\]/;
/** So much of a value's beginning tells where it was put. */
const HEAD = 24;

function limitIn(messages: readonly Message[], branch: string): number | null {
  for (const { parts } of messages) {
    for (const part of parts) {
      if (typeof part !== "string" && part.branch === branch && part.limit != null) return part.limit;
    }
  }
  return null;
}
