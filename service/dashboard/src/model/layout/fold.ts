/**
 * Which nodes the graph shows. A fork wider than five folds: the critical, failed, running and slowest branches stay,
 * the rest becomes one stack. Runs of joins with nothing between them (a vote taken one by one) become one join.
 */

import {
  type Branch,
  descends,
  type EdgeKind,
  type GraphNode,
  isBlocked,
  type ReasoningGraph,
  START,
} from "../journal/graph";

export interface VisibleNode {
  id: string;
  /** `pending` is a branch that has not begun, `gate` a person who is waited for. */
  kind: GraphNode["kind"] | "stack" | "pending" | "gate";
  lane: string;
  branch: string;
  /** Ids of the graph's nodes that it stands for. */
  nodes: string[];
  /** Stacks only: the fork group it opens and the branches it hides. */
  group: string;
  branches: string[];
}

/** Whether it is drawn as a small sign and not as a card. */
export function isPoint({ kind }: VisibleNode): boolean {
  return kind === "start" || kind === "join" || kind === "answer" || kind === "gate";
}

export interface VisibleEdge {
  source: string;
  target: string;
  /** `retry` only orders a failed attempt and the next one; nothing flows along it. */
  kind: EdgeKind | "retry";
  /** The join is still waiting for this branch. */
  pending: boolean;
}

/** A row of the drawing: a branch, or the stack that hides several. */
export interface Lane {
  id: string;
  parent: string | null;
  /** The fork that its branch belongs to. */
  group: string;
}

export interface VisibleGraph {
  nodes: VisibleNode[];
  edges: VisibleEdge[];
  lanes: Lane[];
  /** Where each node of the graph is shown. */
  home: Map<string, string>;
  /** Forks wide enough to fold, by id. */
  groups: Map<string, { parent: string; branches: string[]; folded: boolean }>;
}

export interface FoldWishes {
  critical: ReadonlySet<string>;
  /** Ids of the fork groups that the user has opened, or all. */
  opened: ReadonlySet<string> | "all";
  /** Branches that stay visible: what is selected. */
  pinned?: readonly string[];
  /** Branches that were kept before: in a running job they give way only to more telling ones. */
  kept?: ReadonlySet<string>;
}

const WIDEST = 5;
const KEEP = 3;

/** The fold groups of a parent: children forked at the same node, by how deep they wait for one another. */
function groupsOf(graph: ReasoningGraph, parent: Branch): Map<string, string[]> {
  const depth = new Map<string, number>();
  const groups = new Map<string, string[]>();
  for (const id of parent.children) {
    const child = graph.branches.get(id)!;
    const level =
      child.after.length === 0 ? 0 : 1 + Math.max(...child.after.map((other) => depth.get(other) ?? 0));
    depth.set(id, level);
    const group = `${parent.id}@${child.entry[0] ?? START}${level > 0 ? `~${level}` : ""}`;
    const members = groups.get(group);
    if (members) members.push(id);
    else groups.set(group, [id]);
  }
  return groups;
}

interface Standing {
  critical: boolean;
  failed: boolean;
  running: boolean;
  seconds: number;
}

/** For each branch what its whole subtree amounts to. */
function standings(graph: ReasoningGraph, critical: ReadonlySet<string>): Map<string, Standing> {
  const found = new Map<string, Standing>();
  for (const branch of [...graph.branches.values()].reverse()) {
    const standing: Standing = {
      critical: branch.nodes.some((id) => critical.has(id)),
      failed: branch.status === "failed",
      running: branch.endedAt === null && branch.status !== "queued",
      seconds: (branch.endedAt ?? graph.lastAt) - branch.forkedAt,
    };
    for (const id of branch.children) {
      const child = found.get(id)!;
      standing.critical ||= child.critical;
      standing.failed ||= child.failed;
      standing.running ||= child.running;
    }
    found.set(branch.id, standing);
  }
  return found;
}

/** Decides which branches are hidden, and in which stack. */
function hide(graph: ReasoningGraph, wishes: FoldWishes) {
  const standing = standings(graph, wishes.critical);
  const pinned = wishes.pinned ?? [];
  const weight = (id: string): number => {
    const { critical, failed, running, seconds } = standing.get(id)!;
    const telling = (critical ? 8 : 0) + (failed ? 4 : 0) + (running ? 2 : 0);
    return telling * 1e12 + (wishes.kept?.has(id) ? 1e11 : 0) + seconds;
  };
  const hiddenIn = new Map<string, string>();
  const stacks = new Map<string, VisibleNode>();
  const groups: VisibleGraph["groups"] = new Map();
  const groupOf = new Map<string, string>();
  for (const parent of graph.branches.values()) {
    const stackOfParent = hiddenIn.get(parent.id);
    for (const [group, members] of groupsOf(graph, parent)) {
      for (const id of members) groupOf.set(id, group);
      if (stackOfParent !== undefined) {
        for (const id of members) hiddenIn.set(id, stackOfParent);
        continue;
      }
      if (members.length <= WIDEST) continue;
      const folded = wishes.opened !== "all" && !wishes.opened.has(group);
      groups.set(group, { parent: parent.id, branches: members, folded });
      if (!folded) continue;
      const best = [...members].sort((a, b) => weight(b) - weight(a)).slice(0, KEEP);
      const stays = (id: string): boolean => best.includes(id) || pinned.some((pin) => descends(pin, id));
      const branches = members.filter((id) => !stays(id));
      const stack = `stack:${group}`;
      for (const id of branches) hiddenIn.set(id, stack);
      stacks.set(stack, {
        id: stack,
        kind: "stack",
        lane: stack,
        branch: parent.id,
        nodes: [],
        group,
        branches,
      });
    }
  }
  return { hiddenIn, stacks, groups, groupOf };
}

export function visibleGraph(graph: ReasoningGraph, wishes: FoldWishes): VisibleGraph {
  const { hiddenIn, stacks, groups, groupOf } = hide(graph, wishes);
  const nodes: VisibleNode[] = [];
  const home = new Map<string, string>();
  const forkSources = new Set([...graph.branches.values()].flatMap((branch) => branch.entry));
  const shown = new Map<string, VisibleNode>();
  const show = (node: VisibleNode): void => {
    nodes.push(node);
    shown.set(node.id, node);
  };

  for (const node of graph.nodes.values()) {
    const stack = stacks.get(hiddenIn.get(node.branch) ?? "");
    const before = node.kind === "join" ? joinBefore(graph, node, forkSources) : undefined;
    const merged = before === undefined ? undefined : shown.get(home.get(before) ?? "");
    const into = stack ?? merged;
    if (into) into.nodes.push(node.id);
    else show(bare(node.id, node.kind, node.branch, [node.id]));
    home.set(node.id, into?.id ?? node.id);
  }
  for (const branch of graph.branches.values()) {
    if (branch.nodes.length > 0 || branch.children.length > 0 || branch.parent === null) continue;
    const id = `${branch.id}/1`;
    const stack = hiddenIn.get(branch.id);
    home.set(id, stack ?? id);
    if (stack === undefined) show(bare(id, "pending", branch.id, []));
  }
  for (const { ordinal, branch, to } of graph.approvals) {
    if (to !== null || hiddenIn.has(branch)) continue;
    const id = gateId(ordinal);
    home.set(id, id);
    show(bare(id, "gate", branch, []));
  }
  for (const stack of stacks.values()) show(stack);
  return {
    nodes,
    edges: edgesOf(graph, home),
    lanes: lanesOf(graph, hiddenIn, stacks, groupOf),
    home,
    groups,
  };
}

function bare(id: string, kind: VisibleNode["kind"], branch: string, nodes: string[]): VisibleNode {
  return { id, kind, lane: branch, branch, nodes, group: "", branches: [] };
}

/** How an approval is named among the nodes. */
export function gateId(ordinal: number): string {
  return `approval/${ordinal}`;
}

/** The join right before this one on the same branch, if nothing starts between the two. */
function joinBefore(
  graph: ReasoningGraph,
  node: GraphNode,
  forkSources: ReadonlySet<string>,
): string | undefined {
  const next = graph.incoming.get(node.id)?.find((edge) => edge.kind === "next");
  const before = next && graph.nodes.get(next.source);
  return before?.kind === "join" && !forkSources.has(before.id) ? before.id : undefined;
}

function edgesOf(graph: ReasoningGraph, home: ReadonlyMap<string, string>): VisibleEdge[] {
  const edges = new Map<string, VisibleEdge>();
  const add = (from: string, to: string, kind: VisibleEdge["kind"], pending: boolean): void => {
    const source = home.get(from);
    const target = home.get(to);
    if (source === undefined || target === undefined || source === target) return;
    const key = `${source}>${target}>${kind}`;
    if (!edges.has(key)) edges.set(key, { source, target, kind, pending });
  };
  for (const edge of graph.edges) add(edge.source, edge.target, edge.kind, false);
  for (const branch of graph.branches.values()) {
    for (const [i, id] of branch.nodes.entries()) {
      const before = branch.nodes[i - 1];
      if (before !== undefined && !graph.linked.has(`${before}>${id}`)) {
        add(before, id, "retry", false);
      }
    }
    const pendingId = `${branch.id}/1`;
    if (branch.nodes.length === 0 && home.has(pendingId)) {
      for (const source of branch.entry) add(source, pendingId, "fork", false);
      for (const id of branch.after) add(lastShown(graph, id), pendingId, "depends", true);
    }
    const last = graph.nodes.get(branch.nodes.at(-1) ?? "");
    if (last && isBlocked(last)) {
      for (const target of last.join?.targets ?? []) add(lastShown(graph, target), last.id, "join", true);
    }
  }
  for (const { ordinal, branch, to } of graph.approvals) {
    if (to === null) add(lastShown(graph, branch), gateId(ordinal), "next", true);
  }
  return [...edges.values()];
}

function lastShown(graph: ReasoningGraph, id: string): string {
  const branch = graph.branches.get(id);
  return branch?.nodes.at(-1) ?? branch?.tip ?? `${id}/1`;
}

function lanesOf(
  graph: ReasoningGraph,
  hiddenIn: ReadonlyMap<string, string>,
  stacks: ReadonlyMap<string, VisibleNode>,
  groupOf: ReadonlyMap<string, string>,
): Lane[] {
  const lanes: Lane[] = [];
  for (const branch of graph.branches.values()) {
    if (!hiddenIn.has(branch.id)) {
      lanes.push({ id: branch.id, parent: branch.parent, group: groupOf.get(branch.id) ?? "" });
    }
  }
  for (const stack of stacks.values()) lanes.push({ id: stack.id, parent: stack.branch, group: stack.group });
  return lanes;
}
