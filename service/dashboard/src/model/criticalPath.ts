/**
 * The critical path: in tokens, the longest dependent chain that ends in the answer; in seconds, the chain of what was
 * waited for. Both are iterative and linear in nodes and edges.
 */

import { ANSWER, type GraphEdge, type ReasoningGraph } from "./graph";

export interface CriticalPath {
  /** Node ids from the start on. */
  nodes: string[];
  tokens: number;
}

type Arrow = Pick<GraphEdge, "source" | "target">;

/** Node ids such that every edge runs forward; nodes on a cycle (there should be none) come last. */
export function topologicalOrder(ids: Iterable<string>, edges: readonly Arrow[]): string[] {
  const waiting = new Map<string, number>();
  for (const id of ids) waiting.set(id, 0);
  const outgoing = new Map<string, string[]>();
  for (const { source, target } of edges) {
    if (!waiting.has(source) || !waiting.has(target)) continue;
    waiting.set(target, (waiting.get(target) ?? 0) + 1);
    const targets = outgoing.get(source);
    if (targets) targets.push(target);
    else outgoing.set(source, [target]);
  }
  const order = [...waiting.keys()].filter((id) => waiting.get(id) === 0);
  for (let i = 0; i < order.length; i++) {
    for (const target of outgoing.get(order[i]!) ?? []) {
      const left = waiting.get(target)! - 1;
      waiting.set(target, left);
      if (left === 0) order.push(target);
    }
  }
  if (order.length < waiting.size) {
    const placed = new Set(order);
    order.push(...[...waiting.keys()].filter((id) => !placed.has(id)));
  }
  return order;
}

/** The longest chain by decoded tokens that ends in the answer; before there is one, the longest so far. */
export function criticalPath(graph: ReasoningGraph): CriticalPath {
  const length = new Map<string, number>();
  const previous = new Map<string, string>();
  let end = "";
  for (const id of topologicalOrder(graph.nodes.keys(), graph.edges)) {
    let best = 0;
    for (const { source } of graph.incoming.get(id) ?? []) {
      const before = length.get(source) ?? 0;
      if (before > best || !previous.has(id)) {
        best = Math.max(best, before);
        previous.set(id, source);
      }
    }
    const total = best + graph.nodes.get(id)!.tokens;
    length.set(id, total);
    if (end === "" || total > length.get(end)!) end = id;
  }
  if (graph.nodes.has(ANSWER)) end = ANSWER;
  const nodes: string[] = [];
  for (let id: string | undefined = end || undefined; id !== undefined; id = previous.get(id)) nodes.push(id);
  return { nodes: nodes.reverse(), tokens: length.get(end) ?? 0 };
}

/** The chain of nodes that were waited for last, back from the answer (or from the last node to end). */
export function timePath(graph: ReasoningGraph): string[] {
  let end = graph.nodes.has(ANSWER) ? ANSWER : "";
  if (end === "") {
    for (const node of graph.nodes.values()) {
      if (end === "" || endOf(graph, node.id) >= endOf(graph, end)) end = node.id;
    }
  }
  const path: string[] = [];
  const seen = new Set<string>();
  for (let id: string | null = end || null; id !== null && !seen.has(id); id = lastParent(graph, id)) {
    seen.add(id);
    path.push(id);
  }
  return path.reverse();
}

function lastParent(graph: ReasoningGraph, id: string): string | null {
  let last: string | null = null;
  for (const { source } of graph.incoming.get(id) ?? []) {
    if (last === null || endOf(graph, source) > endOf(graph, last)) last = source;
  }
  return last;
}

function endOf(graph: ReasoningGraph, id: string): number {
  const node = graph.nodes.get(id);
  return node?.ended ?? node?.asked ?? 0;
}
