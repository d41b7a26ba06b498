/** How parallel a job was and what it cost, by the formulas of `dag/analysis/metrics.py`; for a running job, so far. */

import { ANSWER, type GraphNode, type ReasoningGraph } from "../journal/graph";
import { bySeconds, criticalPath } from "./criticalPath";

export interface Metrics {
  /** T. */
  critical_path_tokens: number;
  /** L. */
  total_tokens: number;
  /** How exactly tokens are known: by the least exact of all decodes. */
  counted: GraphNode["counted"];
  /** L / T. */
  parallelism: number;
  waste_tokens: number;
  /** Seconds of work along the heaviest chain by the clock, which may be another one. */
  critical_path_seconds: number;
  wall_seconds: number;
  /** From submission to the first claim. */
  queue_seconds: number;
  branches: number;
  critical_by_tokens: string[];
  critical_by_seconds: string[];
}

export function measure(graph: ReasoningGraph): Metrics {
  const critical = criticalPath(graph);
  const slowest = criticalPath(graph, bySeconds);
  let total = 0;
  let counted: GraphNode["counted"] = "";
  for (const node of graph.nodes.values()) {
    total += node.tokens;
    if (node.counted === "at least " || counted === "") counted = node.counted;
  }
  const end = graph.nodes.get(ANSWER)?.asked ?? graph.lastAt;
  return {
    critical_path_tokens: critical.weight,
    total_tokens: total,
    counted,
    parallelism: critical.weight > 0 ? total / critical.weight : 1,
    waste_tokens: wastedNodes(graph).reduce((sum, node) => sum + node.tokens, 0),
    critical_path_seconds: slowest.weight,
    wall_seconds: graph.startedAt === null ? 0 : end - graph.startedAt,
    queue_seconds: (graph.startedAt ?? graph.lastAt) - graph.submittedAt,
    branches: graph.branches.size,
    critical_by_tokens: critical.nodes,
    critical_by_seconds: slowest.nodes,
  };
}

/** Nodes that do not lead to the answer, and those of pruned branches; none while there is no answer to judge by. */
export function wastedNodes(graph: ReasoningGraph): GraphNode[] {
  if (!graph.nodes.has(ANSWER)) return [];
  const used = leadingTo(graph, ANSWER);
  return [...graph.nodes.values()].filter(
    (node) => !used.has(node.id) || graph.branches.get(node.branch)?.pruned,
  );
}

/** The node and everything it depends on. */
export function leadingTo(graph: ReasoningGraph, id: string): Set<string> {
  const found = new Set([id]);
  const todo = [id];
  for (let at = todo.pop(); at !== undefined; at = todo.pop()) {
    for (const { source } of graph.incoming.get(at) ?? []) {
      if (found.has(source)) continue;
      found.add(source);
      todo.push(source);
    }
  }
  return found;
}
