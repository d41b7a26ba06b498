/**
 * What the journal of a job amounts to: nodes, edges and branches. Filled by `journal.ts`, read by everything else.
 * A node is a segment (of a tool branch: one run of the tool), or a point of no weight: the start, a join, the answer.
 */

import type {
  AnswerClass,
  BranchStatus,
  Call,
  Citation,
  EdgeKind,
  JobSpec,
  JobStatus,
  Message,
  NodeKind,
  NodeStatus,
  Part,
  Timing,
} from "./events";

export type { BranchStatus, EdgeKind, JobStatus, NodeKind, NodeStatus };

export interface GraphNode {
  id: string;
  kind: NodeKind;
  branch: string;
  /** Ordinal of the segment or join on its branch, from 1. */
  ordinal: number;
  /** Of the event that made it; of a join, of the one that satisfied it. */
  seq: number;
  status: NodeStatus;
  /** Decoded tokens: its weight. */
  tokens: number;
  promptTokens: number;
  cachedTokens: number;
  /** Unix seconds: when it could have begun, was asked for, ended. */
  ready: number;
  asked: number;
  ended: number | null;
  /** Seconds of work, waiting left out: its weight by the clock. */
  seconds: number;
  timing: Timing;
  attempt: number;
  finish: string;
  fault: string;
  replica: string;
  engine: string;
  text: string;
  /** What the model thought before the text; nobody else reads it. */
  thought: string;
  /** Of its tokens, those of thoughts. */
  thoughtTokens: number;
  /** What to write before its tokens, where the engine told no number of them, or its organizer was lost. */
  counted: "" | "about " | "at least ";
  /** Money, by the price table. */
  cost: number;
  /** Who decoded it, as the engine names itself. */
  model: string;
  /** The job that decoded it, where an edited re-run took it from there. */
  recalledFrom: string;
  /** Tools of the job's owner that it calls. */
  calls: Call[];
  inserted: string;
  removed: number;
  /** Messages that the policy put before it. */
  messages: Message[];
  sampling: { seed: number; temperature: number | null; maxTokens: number; structured: boolean };
  join: JoinFacts | null;
}

export interface JoinFacts {
  mode: string;
  count: number;
  targets: string[];
  joined: string[];
  pending: string[];
  failed: string[];
}

export interface GraphEdge {
  source: string;
  target: string;
  kind: EdgeKind;
}

export interface Branch {
  id: string;
  parent: string | null;
  role: string;
  label: string;
  after: string[];
  policy: string | null;
  tool: string | null;
  model: string | null;
  base: string;
  messages: Message[];
  opening: Part[];
  forkedAt: number;
  /** What its first node depends on: what its parent had done when it forked. */
  entry: string[];
  nodes: string[];
  children: string[];
  /** The last of its nodes that ended and whose text is read; failed attempts are not. */
  tip: string | null;
  status: BranchStatus;
  /** It has had a segment or a child. */
  begun: boolean;
  /** Approvals of it that nobody has decided yet. */
  undecided: number;
  openSegments: number;
  value: string;
  flags: string[];
  cause: string;
  endedAt: number | null;
  attempts: number;
  /** Why it was tried again, attempt by attempt. */
  retries: string[];
  tokens: number;
  cost: number;
  /** Ids of the join nodes that took its result. */
  consumers: string[];
  scores: { by: string; score: number; detail: string }[];
  pruned: string;
  mergedInto: string;
}

export interface Approval {
  ordinal: number;
  branch: string;
  gate: string;
  subject: string;
  from: number;
  to: number | null;
  decision: string;
  by: string;
  reason: string;
}

export interface Vote {
  classes: AnswerClass[];
  abstained: string[];
  winner: string | null;
  tie: string;
}

export interface GivenAnswer {
  text: string;
  calls: Call[];
  sources: string[];
  /** The passages that the text cites, as [3], by their numbers. */
  citations: Citation[];
  forced: boolean;
  truncated: boolean;
}

export interface ReasoningGraph {
  job: string;
  /** Of the last event folded in. */
  seq: number;
  spec: JobSpec | null;
  status: JobStatus;
  submittedAt: number;
  startedAt: number | null;
  endedAt: number | null;
  lastAt: number;
  claims: number;
  nodes: Map<string, GraphNode>;
  edges: GraphEdge[];
  /** Edges into each node, in the order in which they were made. */
  incoming: Map<string, GraphEdge[]>;
  /** "SOURCE>TARGET" of every edge. */
  linked: Set<string>;
  branches: Map<string, Branch>;
  approvals: Approval[];
  votes: Vote[];
  answer: GivenAnswer | null;
  error: { type: string; title: string; detail: string } | null;
  exceeded: string[];
  /** The budgets that were nearly spent when the policy was asked to answer soon. */
  windUps: { resource: string; limit: number; spent: number }[];
}

export const START = "start";
export const ANSWER = "answer";
export const TRUNK = "0";

export function emptyGraph(job: string): ReasoningGraph {
  return {
    job,
    seq: 0,
    spec: null,
    status: "queued",
    submittedAt: 0,
    startedAt: null,
    endedAt: null,
    lastAt: 0,
    claims: 0,
    nodes: new Map(),
    edges: [],
    incoming: new Map(),
    linked: new Set(),
    branches: new Map(),
    approvals: [],
    votes: [],
    answer: null,
    error: null,
    exceeded: [],
    windUps: [],
  };
}

/** Sort order that puts 0.2 before 0.10. */
export function comparePaths(a: string, b: string): number {
  const left = a.split(".");
  const right = b.split(".");
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    const difference = Number(left[i]) - Number(right[i]);
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}

/** Whether `branch` is `ancestor` itself or lies below it. */
export function descends(branch: string, ancestor: string): boolean {
  return branch === ancestor || branch.startsWith(`${ancestor}.`);
}

/** Whether a join waits for its branches: the only node that is there before it has a place in the graph of the API. */
export function isBlocked(node: GraphNode): boolean {
  return node.kind === "join" && node.status === "running";
}

export function isOver(status: JobStatus): boolean {
  return status === "succeeded" || status === "failed" || status === "cancelled";
}

/** Whether more than one model spoke in this job, so that it is worth telling of each segment which. */
export function severalModels(graph: ReasoningGraph): boolean {
  const spoke = new Set([...graph.nodes.values()].map((node) => node.model).filter(Boolean));
  return spoke.size > 1;
}

/** Which model speaks in a branch: as the engine told, or else as it was asked for. */
export function modelOf(graph: ReasoningGraph, branch: Branch, node?: GraphNode): string {
  const served = node?.model || branch.nodes.map((id) => graph.nodes.get(id)?.model).findLast(Boolean);
  return served || branch.model || graph.spec?.model || "the pool’s own";
}
