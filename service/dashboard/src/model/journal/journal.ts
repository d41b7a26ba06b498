/**
 * The fold of a journal into a graph, one event at a time, with the semantics of `dag/analysis/graph.py`: a fork edge starts at
 * the parent's last finished node, a join edge at what each joined branch did last. Only one thing is added: a join is
 * a node from its request on, so that a blocked branch is seen.
 */

import { endDecode } from "./decodes";
import { type JournalEvent, type Kind, type Payloads, secondsOf } from "./events";
import { ANSWER, type Branch, emptyGraph, type ReasoningGraph, START, TRUNK } from "./graph";
import {
  attach,
  endBranch,
  frontier,
  goOnUnlessWaiting,
  link,
  makeBranch,
  makeNode,
  readyTime,
  settle,
  tipsOf,
  unlink,
} from "./growth";

type Handler<K extends Kind> = (
  graph: ReasoningGraph,
  branch: Branch,
  payload: Payloads[K],
  at: number,
  seq: number,
) => void;

/** Folds events that follow what was folded before; what is folded already is skipped. Returns the same graph. */
export function fold(graph: ReasoningGraph, events: Iterable<JournalEvent>): ReasoningGraph {
  for (const event of events) if (event.seq > graph.seq) apply(graph, event);
  return graph;
}

export function graphOf(events: readonly JournalEvent[]): ReasoningGraph {
  return fold(emptyGraph(events[0]?.job ?? ""), events);
}

function apply(graph: ReasoningGraph, event: JournalEvent): void {
  const at = secondsOf(event);
  graph.seq = event.seq;
  if (event.kind === "JobRated") return; // long after the job, perhaps
  graph.lastAt = at;
  if (event.kind === "JobSubmitted") submitted(graph, event.payload, at, event.seq);
  const branch = graph.branches.get(event.branch);
  const handler = HANDLERS[event.kind] as Handler<Kind> | undefined;
  if (branch && handler) handler(graph, branch, event.payload, at, event.seq);
}

function submitted(graph: ReasoningGraph, payload: Payloads["JobSubmitted"], at: number, seq: number): void {
  graph.spec = payload.spec;
  graph.submittedAt = at;
  const trunk = makeBranch(TRUNK, null, at);
  trunk.role = "trunk";
  trunk.policy = payload.spec.policy;
  trunk.base = "problem";
  graph.branches.set(TRUNK, trunk);
  const start = makeNode(graph, START, "start", trunk, 0, at, seq);
  start.status = "finished";
  start.ended = at;
  trunk.tip = START;
}

const HANDLERS: { [K in Kind]?: Handler<K> } = {
  JobClaimed(graph, _branch, payload, at) {
    graph.claims = payload.attempt;
    graph.startedAt ??= at;
    if (graph.status === "queued") graph.status = "running";
  },

  BranchForked(graph, parent, payload, at) {
    const child = makeBranch(payload.child, parent.id, at);
    child.role = payload.role;
    child.label = payload.label ?? "";
    child.after = payload.after ?? [];
    child.policy = payload.policy ?? null;
    child.tool = payload.tool ?? null;
    child.model = payload.model ?? null;
    child.base = payload.reading?.base ?? "nothing";
    child.messages = payload.reading?.messages ?? [];
    child.opening = payload.reading?.opening ?? [];
    child.entry = frontier(graph, parent).map(({ source }) => source);
    parent.children.push(child.id);
    parent.begun = true;
    settle(parent);
    graph.branches.set(child.id, child);
  },

  SegmentStarted(graph, branch, payload, at, seq) {
    const kind = branch.tool === null ? "segment" : "tool";
    const node = makeNode(graph, `${branch.id}/${payload.segment}`, kind, branch, payload.segment, at, seq);
    node.ready = readyTime(graph, branch, at);
    node.attempt = payload.attempt ?? 1;
    node.inserted = payload.inserted ?? "";
    node.removed = payload.removed ?? 0;
    node.model = payload.model ?? "";
    node.messages = payload.messages ?? [];
    node.sampling = {
      seed: payload.seed ?? 0,
      temperature: payload.temperature ?? null,
      maxTokens: payload.max_tokens ?? 0,
      structured: payload.structured ?? false,
    };
    const posted = (payload.reads ?? []).flatMap((id) => tipsOf(graph, id));
    attach(graph, branch, node, [
      ...frontier(graph, branch),
      ...posted.map((source) => ({ source, kind: "depends" as const })),
    ]);
    branch.openSegments += 1;
    branch.begun = true;
    settle(branch);
  },

  SegmentFinished(graph, branch, payload, at) {
    const node = graph.nodes.get(`${branch.id}/${payload.segment}`);
    if (!node) return;
    endDecode(node, payload.decoded, at);
    branch.tokens += node.tokens;
    branch.cost += node.cost;
    if (node.status !== "failed") branch.tip = node.id;
    branch.openSegments -= 1;
    settle(branch);
  },

  HedgeLost(graph, branch, payload, at, seq) {
    const beside = graph.nodes.get(`${branch.id}/${payload.segment}`);
    if (!beside) return;
    const node = makeNode(graph, `${beside.id}h`, "segment", branch, payload.segment, at, seq);
    node.ready = beside.ready;
    node.asked = payload.decoded.timing?.submitted || at;
    node.attempt = payload.attempt;
    endDecode(node, payload.decoded, at);
    attach(graph, branch, node, [...graph.incoming.get(beside.id)!]);
    branch.tokens += node.tokens;
    branch.cost += node.cost;
  },

  BranchReturned(graph, branch, payload, at) {
    branch.value = payload.value;
    branch.flags = payload.flags ?? [];
    endBranch(graph, branch, "returned", at);
  },

  BranchFailed(graph, branch, payload, at) {
    branch.cause = [payload.cause, payload.detail].filter(Boolean).join(": ");
    endBranch(graph, branch, "failed", at);
  },

  BranchCancelled(graph, branch, payload, at) {
    branch.cause = payload.reason;
    endBranch(graph, branch, "cancelled", at);
  },

  BranchRetried(_graph, branch, payload) {
    branch.attempts = payload.attempt;
    branch.retries.push(payload.cause);
  },

  JoinRequested(graph, branch, payload, at, seq) {
    const node = makeNode(graph, `${branch.id}/j${payload.join}`, "join", branch, payload.join, at, seq);
    node.join = {
      mode: payload.mode,
      count: payload.count ?? 0,
      targets: payload.targets,
      joined: [],
      pending: [],
      failed: [],
    };
    attach(graph, branch, node, frontier(graph, branch));
  },

  BranchesJoined(graph, branch, payload, at, seq) {
    const node = graph.nodes.get(`${branch.id}/j${payload.join}`);
    if (!node?.join) return;
    node.join.joined = payload.joined;
    node.join.pending = payload.pending ?? [];
    node.join.failed = payload.failed ?? [];
    node.status = "finished";
    node.ended = at;
    node.seq = seq;
    const before = frontier(graph, branch);
    // What the branch has decoded since the request is before the join, too.
    if (!before.every(({ source }) => graph.linked.has(`${source}>${node.id}`))) {
      unlink(graph, node);
      for (const { source, kind } of before) link(graph, source, node.id, kind);
    }
    for (const id of payload.joined) {
      graph.branches.get(id)?.consumers.push(node.id);
      for (const source of tipsOf(graph, id)) link(graph, source, node.id, "join");
    }
    branch.tip = node.id;
  },

  BranchScored(graph, _branch, payload) {
    for (const [id, score] of Object.entries(payload.scores)) {
      graph.branches.get(id)?.scores.push({ by: payload.by, score, detail: payload.details?.[id] ?? "" });
    }
  },

  BranchesVoted(graph, _branch, payload) {
    graph.votes.push({
      classes: payload.classes,
      abstained: payload.abstained ?? [],
      winner: payload.winner ?? null,
      tie: payload.tie ?? "",
    });
  },

  BranchesPruned(graph, _branch, payload) {
    for (const id of payload.pruned) {
      const pruned = graph.branches.get(id);
      if (pruned) pruned.pruned = payload.rule;
    }
  },

  BranchesMerged(graph, _branch, payload) {
    const into = graph.branches.get(payload.into);
    if (into) into.after = [...new Set([...into.after, ...payload.merged])];
    for (const id of payload.merged) {
      const merged = graph.branches.get(id);
      if (merged) merged.mergedInto = payload.into;
    }
  },

  ApprovalRequested(graph, branch, payload, at) {
    graph.approvals.push({
      ordinal: payload.approval,
      branch: branch.id,
      gate: payload.gate,
      subject: payload.subject,
      from: at,
      to: null,
      decision: "",
      by: "",
      reason: "",
    });
    branch.undecided += 1;
    settle(branch);
    if (graph.status === "running") graph.status = "waiting";
  },

  ApprovalDecided(graph, _branch, payload, at) {
    const approval = graph.approvals.find((one) => one.ordinal === payload.approval);
    if (!approval) return;
    approval.to = at;
    approval.decision = payload.decision;
    approval.by = payload.by ?? "";
    approval.reason = payload.reason ?? "";
    const asked = graph.branches.get(approval.branch)!;
    asked.undecided -= 1;
    settle(asked);
    goOnUnlessWaiting(graph);
  },

  BudgetExceeded(graph, _branch, { resource, limit, spent }) {
    // Journals of earlier releases say so when time is short, too.
    if (spent < limit) graph.windUps.push({ resource, limit, spent });
    else graph.exceeded.push(resource);
  },

  WindUpRequested(graph, _branch, { resource, limit, spent }) {
    graph.windUps.push({ resource, limit, spent });
  },

  AnswerCommitted(graph, trunk, payload, at, seq) {
    const { text, calls = [], sources = [], citations = [], forced = false, truncated = false } = payload;
    graph.answer = { text, calls, sources, citations, forced, truncated };
    const node = makeNode(graph, ANSWER, "answer", trunk, 1, at, seq);
    node.status = "finished";
    node.ended = at;
    attach(graph, trunk, node, frontier(graph, trunk));
    trunk.tip = ANSWER;
  },

  JobSucceeded(graph, _branch, _payload, at) {
    graph.status = "succeeded";
    graph.endedAt = at;
  },

  JobFailed(graph, _branch, payload, at) {
    graph.status = "failed";
    graph.endedAt = at;
    graph.error = { type: payload.type, title: payload.title, detail: payload.detail ?? "" };
  },

  JobCancelled(graph, _branch, payload, at) {
    graph.status = "cancelled";
    graph.endedAt = at;
    graph.error = { type: "cancelled", title: "Cancelled", detail: payload.reason };
  },
};
