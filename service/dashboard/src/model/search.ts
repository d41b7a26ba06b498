/** Search inside one job: which nodes a text is found in, in the order of the rows. */

import type { GraphNode, ReasoningGraph } from "./journal/graph";

/** Ids of the nodes in whose name, label, text or replica the query is found, whatever the case. Empty finds nothing. */
export function search(graph: ReasoningGraph, order: readonly GraphNode[], query: string): string[] {
  const wanted = query.trim().toLowerCase();
  if (wanted === "") return [];
  return order
    .filter((node) => haystack(graph, node).some((text) => text.toLowerCase().includes(wanted)))
    .map(idOf);
}

function haystack(graph: ReasoningGraph, node: GraphNode): string[] {
  const branch = graph.branches.get(node.branch);
  const own = [node.id, node.text, node.inserted, node.replica, node.fault];
  if (branch) own.push(branch.role, branch.label);
  if (branch?.nodes.at(-1) === node.id) own.push(branch.value, branch.cause);
  return own;
}

function idOf(node: GraphNode): string {
  return node.id;
}

/** The hit after (or, backwards, before) the current one, going round at the ends. */
export function nextHit(hits: readonly string[], current: string | null, step: 1 | -1): string | null {
  if (hits.length === 0) return null;
  const at = current === null ? -1 : hits.indexOf(current);
  if (at === -1) return (step === 1 ? hits[0] : hits.at(-1)) ?? null;
  return hits[(at + step + hits.length) % hits.length] ?? null;
}
