/** The branches of a job as rows of a table: what each is, what it took, and what came of it. */

import { type Branch, comparePaths, modelOf, type ReasoningGraph } from "../journal/graph";
import { isWork } from "./phases";

export interface BranchRow {
  branch: Branch;
  name: string;
  model: string;
  tokens: number;
  cost: number;
  /** Of work, the queue left out. */
  seconds: number;
  /** What became of what it wrote, in a word or two. */
  fate: string;
}

export type BranchOrder = "branch" | "tokens" | "cost" | "seconds" | "attempts";

/** One row for each branch, in the order of their paths, or with the greatest first. `drafted` are tokens not yet told. */
export function branchRows(
  graph: ReasoningGraph,
  order: BranchOrder,
  drafted: (branch: string) => number = () => 0,
): BranchRow[] {
  const voted = new Map<string, string>();
  for (const { answer, branches } of graph.votes.at(-1)?.classes ?? [])
    for (const id of branches) voted.set(id, answer);
  const rows = [...graph.branches.values()].map((branch): BranchRow => {
    const nodes = branch.nodes.map((id) => graph.nodes.get(id)!).filter(isWork);
    return {
      branch,
      name: branch.label || branch.role,
      model: branch.tool ? `tool ${branch.tool}` : nodes.length > 0 ? modelOf(graph, branch) : "",
      tokens: branch.tokens + drafted(branch.id),
      cost: branch.cost,
      seconds: nodes.reduce((sum, node) => sum + node.seconds, 0),
      fate: fateOf(graph, branch, voted.get(branch.id)),
    };
  });
  if (order === "branch") return rows.sort((a, b) => comparePaths(a.branch.id, b.branch.id));
  const weight = (row: BranchRow): number => (order === "attempts" ? row.branch.attempts : row[order]);
  return rows.sort((a, b) => weight(b) - weight(a) || comparePaths(a.branch.id, b.branch.id));
}

function fateOf(graph: ReasoningGraph, branch: Branch, voted: string | undefined): string {
  if (branch.pruned) return `pruned by ${branch.pruned}`;
  if (branch.cause) return branch.cause.slice(0, 80);
  if (voted !== undefined) return `voted for ${voted.slice(0, 60)}`;
  if (branch.mergedInto) return `merged into ${branch.mergedInto}`;
  if (graph.answer?.sources.includes(branch.id)) return "in the answer";
  if (branch.consumers.length > 0) return "joined";
  return branch.endedAt !== null && branch.parent !== null ? "used by nobody" : "";
}
