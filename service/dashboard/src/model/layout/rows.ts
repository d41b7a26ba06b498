/** The rows of the waterfall: every node but the start, by time or by branch. */

import { isWork, startOf } from "../analysis/phases";
import { comparePaths, type GraphNode, type ReasoningGraph } from "../journal/graph";

export type Order = "start" | "branch";

export function rowsOf(graph: ReasoningGraph, order: Order): GraphNode[] {
  const rows = [...graph.nodes.values()].filter((node) => node.kind !== "start");
  if (order === "start") return rows.sort((a, b) => startOf(a) - startOf(b) || a.seq - b.seq);
  return rows.sort((a, b) => comparePaths(a.branch, b.branch) || a.seq - b.seq);
}

export function depthOf(branch: string): number {
  return branch.split(".").length - 1;
}

/** The nodes with work on the critical path, in its order: what "next critical segment" steps through. */
export function criticalSteps(graph: ReasoningGraph, path: readonly string[]): string[] {
  return path.filter((id) => isWork(graph.nodes.get(id)!));
}
