/** How a graph grows: new branches, nodes and edges, and the end of a branch. */

import type { Timing } from "./events";
import type { Branch, BranchStatus, EdgeKind, GraphEdge, GraphNode, NodeKind, ReasoningGraph } from "./graph";

export function makeBranch(id: string, parent: string | null, at: number): Branch {
  return {
    id,
    parent,
    role: "",
    label: "",
    after: [],
    policy: null,
    tool: null,
    model: null,
    base: "nothing",
    messages: [],
    opening: [],
    forkedAt: at,
    entry: [],
    nodes: [],
    children: [],
    tip: null,
    status: "queued",
    begun: false,
    undecided: 0,
    openSegments: 0,
    value: "",
    flags: [],
    cause: "",
    endedAt: null,
    attempts: 1,
    retries: [],
    tokens: 0,
    cost: 0,
    consumers: [],
    scores: [],
    pruned: "",
    mergedInto: "",
  };
}

export function makeNode(
  graph: ReasoningGraph,
  id: string,
  kind: NodeKind,
  branch: Branch,
  ordinal: number,
  at: number,
  seq: number,
): GraphNode {
  const node: GraphNode = {
    id,
    kind,
    branch: branch.id,
    ordinal,
    seq,
    status: "running",
    tokens: 0,
    promptTokens: 0,
    cachedTokens: 0,
    ready: at,
    asked: at,
    ended: null,
    seconds: 0,
    timing: {},
    attempt: 1,
    finish: "",
    fault: "",
    replica: "",
    engine: "",
    text: "",
    thought: "",
    thoughtTokens: 0,
    counted: "",
    cost: 0,
    model: "",
    recalledFrom: "",
    calls: [],
    inserted: "",
    removed: 0,
    messages: [],
    sampling: { seed: 0, temperature: null, maxTokens: 0, structured: false },
    join: null,
  };
  graph.nodes.set(id, node);
  graph.incoming.set(id, []);
  return node;
}

type Predecessor = Pick<GraphEdge, "source" | "kind">;

/** What the branch's next node depends on; of a branch that has done nothing itself, what started it. */
export function frontier(graph: ReasoningGraph, branch: Branch): Predecessor[] {
  if (branch.tip !== null) return [{ source: branch.tip, kind: "next" }];
  const inputs = branch.after.flatMap((id) => tipsOf(graph, id));
  return [
    ...branch.entry.map((source): Predecessor => ({ source, kind: "fork" })),
    ...inputs.map((source): Predecessor => ({ source, kind: "depends" })),
  ];
}

/** The nodes that what a branch gives depends on. */
export function tipsOf(graph: ReasoningGraph, id: string): string[] {
  const branch = graph.branches.get(id);
  return branch ? frontier(graph, branch).map(({ source }) => source) : [];
}

/** Put a new node behind these; of two edges between the same nodes the first stands. */
export function attach(
  graph: ReasoningGraph,
  branch: Branch,
  node: GraphNode,
  behind: readonly Predecessor[],
): void {
  branch.nodes.push(node.id);
  for (const { source, kind } of behind) link(graph, source, node.id, kind);
}

/** Takes away the edges into a node. */
export function unlink(graph: ReasoningGraph, node: GraphNode): void {
  for (const { source } of graph.incoming.get(node.id)!) graph.linked.delete(`${source}>${node.id}`);
  graph.incoming.set(node.id, []);
  graph.edges = graph.edges.filter((edge) => edge.target !== node.id);
}

export function link(graph: ReasoningGraph, source: string, target: string, kind: EdgeKind): void {
  const key = `${source}>${target}`;
  if (graph.linked.has(key)) return;
  graph.linked.add(key);
  const edge = { source, target, kind };
  graph.edges.push(edge);
  graph.incoming.get(target)!.push(edge);
}

/** The status of a branch that has not ended, by the rules of `dag/status.py`. */
export function settle(branch: Branch): void {
  if (branch.endedAt !== null) return;
  if (branch.undecided > 0) branch.status = "waiting";
  else if (branch.openSegments > 0) branch.status = "decoding";
  else branch.status = branch.begun ? "open" : "queued";
}

/** What a branch that has ended asked people is withdrawn. */
function withdraw(graph: ReasoningGraph, branch: Branch, at: number): void {
  if (branch.undecided === 0) return;
  for (const approval of graph.approvals) {
    if (approval.branch === branch.id && approval.to === null) approval.to = at;
  }
  branch.undecided = 0;
  goOnUnlessWaiting(graph);
}

/** A job whose last open approval was decided or withdrawn runs again. */
export function goOnUnlessWaiting(graph: ReasoningGraph): void {
  if (graph.status === "waiting" && graph.approvals.every((one) => one.to !== null)) graph.status = "running";
}

export function endBranch(graph: ReasoningGraph, branch: Branch, status: BranchStatus, at: number): void {
  branch.status = status;
  branch.endedAt = at;
  withdraw(graph, branch, at);
  for (const id of branch.nodes) {
    const node = graph.nodes.get(id);
    // A segment that is still open is closed by its own event, with its exact tokens.
    if (node?.kind === "join" && node.ended === null) {
      node.status = "aborted";
      node.ended = at;
    }
  }
}

/** When a branch's next segment could have begun: its fork, or the end of what it waited for. */
export function readyTime(graph: ReasoningGraph, branch: Branch, asked: number): number {
  if (branch.nodes.length > 0 || branch.parent === null) return asked;
  const ends = branch.after.map((id) => graph.branches.get(id)?.endedAt ?? branch.forkedAt);
  return Math.min(asked, Math.max(branch.forkedAt, ...ends));
}

/** Seconds of work between hand-over and end, the queue left out: `Node.seconds` of `dag/analysis/graph.py`. */
export function workSeconds(asked: number, ended: number, timing: Timing): number {
  const started = timing.submitted || asked;
  const queued = timing.scheduled ? Math.max(0, timing.scheduled - started) : 0;
  return Math.max(0, ended - started - queued);
}
