/**
 * Journal events as the API sends them. A field that equals its default in `dag/events.py` may be missing, so what is
 * optional here reads as that default.
 */

export interface Usage {
  prompt_tokens?: number;
  cached_tokens?: number;
  completion_tokens?: number;
}

/** Unix seconds on the replica's clock; 0 or missing is "not reached". */
export interface Timing {
  submitted?: number;
  admitted?: number;
  scheduled?: number;
  first_token?: number;
  finished?: number;
}

export interface Decoded {
  text: string;
  finish: string;
  usage?: Usage;
  open?: boolean;
  fault?: { cause: string; detail?: string; retryable?: boolean } | null;
  timing?: Timing;
  replica?: string;
  engine?: string;
}

export type Part = string | { branch: string; limit?: number | null };

export interface Message {
  role: string;
  parts: Part[];
}

export interface JobSpec {
  messages: Message[];
  policy: string;
  params?: Record<string, unknown>;
  budget?: Record<string, number | null>;
  sampling?: { temperature?: number | null; top_p?: number | null; max_tokens?: number };
  seed?: number;
  model?: string | null;
  priority?: number;
  approvals?: string[];
  metadata?: Record<string, unknown>;
  lineage?: Record<string, unknown>;
}

export interface AnswerClass {
  answer: string;
  branches: string[];
  weight: number;
}

/** The payload of each kind that the dashboard reads. */
export interface Payloads {
  JobSubmitted: { spec: JobSpec; policy_version: string };
  JobClaimed: { owner: string; attempt: number };
  AnswerCommitted: { text: string; sources?: string[]; forced?: boolean };
  JobSucceeded: object;
  JobFailed: { type: string; title: string; detail?: string };
  JobCancelled: { reason: string };
  BranchForked: {
    child: string;
    role: string;
    reading?: { base?: string; cursor?: number; messages?: Message[]; opening?: Part[] } | null;
    after?: string[];
    policy?: string | null;
    tool?: string | null;
    model?: string | null;
    label?: string;
  };
  ForkRejected: { reason: string; labels?: string[] };
  SegmentStarted: {
    segment: number;
    attempt?: number;
    continues?: boolean;
    messages?: Message[];
    reads?: string[];
    inserted?: string;
    removed?: number;
    max_tokens?: number;
    temperature?: number | null;
    seed?: number;
    grammar?: string | null;
    structured?: boolean;
  };
  SegmentFinished: { segment: number; attempt: number; decoded: Decoded };
  BranchReturned: { value: string; flags?: string[] };
  BranchFailed: { cause: string; detail?: string; attempts?: number };
  BranchRetried: { attempt: number; cause: string; delay?: number };
  BranchCancelled: { reason: string; by?: string };
  JoinRequested: { join: number; targets: string[]; mode: string; count?: number };
  BranchesJoined: { join: number; joined: string[]; pending?: string[]; failed?: string[] };
  BranchScored: { scores: Record<string, number>; by: string; details?: Record<string, string> };
  BranchesVoted: {
    classes: AnswerClass[];
    abstained?: string[];
    winner?: string | null;
    decided?: boolean;
    tie?: string;
  };
  BranchesPruned: { pruned: string[]; rule: string };
  BranchesMerged: { into: string; merged: string[] };
  TextPosted: { text: string };
  ApprovalRequested: {
    approval: number;
    gate: string;
    subject: string;
    timeout?: number | null;
    default?: string;
  };
  ApprovalDecided: { approval: number; decision: string; edit?: string | null; by?: string; reason?: string };
  ActionMalformed: { problem: string; span?: string };
  WindUpRequested: { resource: string; limit: number; spent: number };
  BudgetExceeded: { resource: string; limit: number; spent: number };
}

export type Kind = keyof Payloads;

interface Envelope<K extends Kind> {
  job: string;
  /** From 1, without gaps. */
  seq: number;
  epoch: number;
  /** RFC 3339, UTC. */
  at: string;
  kind: K;
  branch: string;
  payload: Payloads[K];
}

export type JournalEvent = { [K in Kind]: Envelope<K> }[Kind];

/** Unix seconds of an event. */
export function secondsOf(event: { at: string }): number {
  return Date.parse(event.at) / 1000;
}

/** The literal text of message parts; what stands for another branch's output is named. */
export function textOf(parts: Part[]): string {
  return parts.map((part) => (typeof part === "string" ? part : `[what ${part.branch} returned]`)).join("");
}
