/** Two jobs side by side: branches are matched by their path through the forks, never by order or time. */

import { type Branch, comparePaths, type ReasoningGraph } from "../journal/graph";

export interface Pair {
  path: string;
  a: Branch | null;
  b: Branch | null;
  /** Tokens of b less those of a. */
  delta: number;
  /** The same text was written on both sides. */
  same: boolean;
}

export function pairs(a: ReasoningGraph, b: ReasoningGraph): Pair[] {
  const paths = new Set([...a.branches.keys(), ...b.branches.keys()]);
  return [...paths].sort(comparePaths).map((path) => {
    const left = a.branches.get(path) ?? null;
    const right = b.branches.get(path) ?? null;
    return {
      path,
      a: left,
      b: right,
      delta: (right?.tokens ?? 0) - (left?.tokens ?? 0),
      same: left !== null && right !== null && textOf(a, left) === textOf(b, right),
    };
  });
}

function textOf(graph: ReasoningGraph, branch: Branch): string {
  return branch.nodes.map((id) => graph.nodes.get(id)?.text ?? "").join("");
}

/** The first branch, by path, on which the two jobs part. */
export function parting(found: readonly Pair[]): Pair | undefined {
  return found.find((pair) => !pair.same && pair.path !== "0") ?? found.find((pair) => !pair.same);
}
