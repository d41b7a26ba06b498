/**
 * The two critical paths: the heaviest dependent chains that end in the answer, by decoded tokens and by seconds of work,
 * as `dag/analysis/metrics.py` has them; and the chain of what was waited for last, by the clock, which also counts
 * queues and is never called critical. All are iterative and linear in nodes and edges.
 */

import { ANSWER, type GraphEdge, type GraphNode, isBlocked, type ReasoningGraph } from "../journal/graph";

export interface CriticalPath {
  /** Node ids from the start on. */
  nodes: string[];
  /** The sum of their weights. */
  weight: number;
}

type Weight = (node: GraphNode) => number;

export const byTokens: Weight = (node) => node.tokens;
export const bySeconds: Weight = (node) => node.seconds;

/** By what the critical path is measured: what a user waits for, or what the model's organization decides. */
export type Measure = "seconds" | "tokens";

export const WEIGHTS: Record<Measure, Weight> = { seconds: bySeconds, tokens: byTokens };

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

/** The heaviest chain that ends in the answer; before there is one, the heaviest so far. Of equal ones the first. */
export function criticalPath(graph: ReasoningGraph, weight: Weight = byTokens): CriticalPath {
  const length = new Map<string, number>();
  const previous = new Map<string, string>();
  let end: GraphNode | undefined;
  for (const id of topologicalOrder(graph.nodes.keys(), graph.edges)) {
    const node = graph.nodes.get(id)!;
    let best = 0;
    for (const { source } of graph.incoming.get(id) ?? []) {
      const before = length.get(source) ?? 0;
      if (before > best || !previous.has(id)) {
        best = Math.max(best, before);
        previous.set(id, source);
      }
    }
    length.set(id, best + weight(node));
    if (!isBlocked(node) && (!end || isBefore(node, end, length))) end = node;
  }
  end = graph.nodes.get(ANSWER) ?? end;
  const nodes: string[] = [];
  for (let id = end?.id; id !== undefined; id = previous.get(id)) nodes.push(id);
  return { nodes: nodes.reverse(), weight: end ? length.get(end.id)! : 0 };
}

function isBefore(node: GraphNode, end: GraphNode, length: ReadonlyMap<string, number>): boolean {
  const more = length.get(node.id)! - length.get(end.id)!;
  return more > 0 || (more === 0 && node.seq < end.seq);
}

/** The chain of nodes that were waited for last, back from the answer (or from the last node to end). */
export function waitedFor(graph: ReasoningGraph): string[] {
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
