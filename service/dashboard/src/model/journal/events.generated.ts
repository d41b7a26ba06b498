/** Journal events: a field that is missing has the default of `dag/events.py`. Written by scripts/wire_types.py; change the Python types, not this file. */

export interface ActionMalformed {
  branch?: string;
  problem: string;
  span?: string;
}

/** Answers that mean the same. */
export interface AnswerClass {
  answer: string;
  branches: string[];
  weight: number;
}

export interface AnswerCommitted {
  branch?: string;
  text: string;
  sources?: string[];
  forced?: boolean;
  truncated?: boolean;
  calls?: Call[];
  citations?: Citation[];
}

/** What the job's owner asks of the answer's text. It holds for every decode that a policy marks as its answer or as a candidate for it (`Purpose`), and for nothing else that the job decodes. */
export interface AnswerFormat {
  structure?: Structure | null;
  stop?: string[];
  max_tokens?: number | null;
  tools?: Tools | null;
  logprobs?: number | null;
}

/** Fact. */
export interface ApprovalDecided {
  branch?: string;
  approval: number;
  decision: Choice;
  edit?: string | null;
  by?: string;
  reason?: string;
}

export interface ApprovalRequested {
  branch?: string;
  approval: number;
  gate: string;
  subject: string;
  timeout?: number | null;
  default?: Choice;
}

/** What a branch inherits before its own messages. */
export type Base = "nothing" | "problem" | "parent";

/** Terminal. Its open segment, if any, is closed by a later SegmentFinished with its exact tokens. */
export interface BranchCancelled {
  branch?: string;
  withdrawn?: number[];
  reason: string;
  by?: CancelledBy;
}

/** Terminal. Its retries are used up, or retrying cannot help. */
export interface BranchFailed {
  branch?: string;
  withdrawn?: number[];
  cause: string;
  detail?: string;
  attempts?: number;
}

/** A child was created. `branch` is the parent. */
export interface BranchForked {
  branch?: string;
  child: string;
  role: string;
  reading?: Reading | null;
  after?: string[];
  policy?: string | null;
  params?: Record<string, unknown>;
  tool?: string | null;
  model?: string | null;
  label?: string;
}

export interface BranchRetried {
  branch?: string;
  attempt: number;
  cause: string;
  delay?: number;
}

/** Terminal. What this branch gives to whoever joins it. */
export interface BranchReturned {
  branch?: string;
  withdrawn?: number[];
  value: string;
  flags?: string[];
  calls?: Call[];
}

/** Fact where a verifier ran (`by` names it), consequence where the policy computed the numbers itself. */
export interface BranchScored {
  branch?: string;
  scores: Record<string, number>;
  by: string;
  details?: Record<string, string>;
}

export interface BranchesJoined {
  branch?: string;
  join: number;
  joined: string[];
  pending?: string[];
  failed?: string[];
  expired?: boolean;
}

/** `into` was forked to read what `merged` returned and to make one of it. */
export interface BranchesMerged {
  branch?: string;
  into: string;
  merged: string[];
}

export interface BranchesPruned {
  branch?: string;
  pruned: string[];
  rule: string;
}

/** Equal answers form a class; the heaviest leads. Fact where equality had to be judged outside (a worker task). */
export interface BranchesVoted {
  branch?: string;
  classes: AnswerClass[];
  abstained?: string[];
  winner?: string | null;
  decided?: boolean;
  tie?: string;
}

/** What a job may spend. None is no limit. */
export interface Budget {
  tokens?: number | null;
  seconds?: number | null;
  branch_seconds?: number | null;
  branches?: number | null;
  depth?: number | null;
  cost?: number | null;
}

/** Fact for seconds, which only a clock can tell; a consequence for the rest. What there is becomes the answer. */
export interface BudgetExceeded {
  branch?: string;
  resource: Resource;
  limit: number;
  spent: number;
}

/** One call that a model asks for. */
export interface Call {
  name: string;
  arguments?: string;
  id?: string;
}

/** Who cancelled a branch. CLIENT and DEADLINE are facts, the rest consequences. */
export type CancelledBy = "policy" | "client" | "deadline" | "budget" | "parent" | "answer";

/** What a person decides about a gate. */
export type Choice = "approve" | "edit" | "reject";

/** A passage that an answer cites. */
export interface Citation {
  number: number;
  source: string;
  branch: string;
  title?: string;
  url?: string;
  text?: string;
}

/** What was measured of one segment, from the beginning of its decode. */
export interface Confidence {
  mean: number;
  lowest: number;
  tokens: number;
}

/** One finished segment, as the pool reports it. This is a fact: it is journaled as SegmentFinished. */
export interface Decoded {
  text: string;
  finish: Finish;
  thought?: string;
  usage?: Usage;
  tag?: Tag | null;
  open?: boolean;
  calls?: Call[];
  fault?: Fault | null;
  timing?: Timing;
  replica?: string;
  engine?: string;
  served?: Served;
  logprob?: number | null;
  token_logprobs?: TokenLogprob[];
  kept?: KeptTokens | null;
  confidence?: Confidence | null;
  usage_estimated?: boolean;
  usage_at_least?: boolean;
  overshoot_tokens?: number;
  cost?: number;
  recalled_from?: string | null;
  extra?: Record<string, unknown>;
}

/** What shapes the draw of a token beside temperature and top_p. None leaves it to the model's own defaults. */
export interface Draw {
  top_k?: number | null;
  min_p?: number | null;
  presence_penalty?: number | null;
  frequency_penalty?: number | null;
  repetition_penalty?: number | null;
}

/** Why a decode failed and whether trying elsewhere can help. */
export interface Fault {
  cause: string;
  detail?: string;
  retryable?: boolean;
  retry_after?: number;
}

/** Why a segment ended. */
export type Finish = "stop" | "eos" | "length" | "tag" | "unsure" | "abort" | "error" | "interrupted";

/** A fork was refused; nothing was started for it. */
export interface ForkRejected {
  branch?: string;
  reason: string;
  labels?: string[];
}

/** Fact. Of a segment's two decodes the one that does not count has ended; its tokens are waste. */
export interface HedgeLost {
  branch?: string;
  segment: number;
  attempt: number;
  decoded: Decoded;
  copy?: number;
}

/** Terminal. */
export interface JobCancelled {
  branch?: string;
  reason: string;
}

/** Fact. An organizer took the job; all its appends carry this epoch. */
export interface JobClaimed {
  branch?: string;
  owner: string;
  attempt: number;
}

/** Terminal. `type` is a `vocabulary.Failure`, or the `Cause` for which the trunk could not be decoded. */
export interface JobFailed {
  branch?: string;
  type: string;
  title: string;
  detail?: string;
}

/** Fact. What somebody thinks of the answer: the only event that may follow the terminal one. Of an author's ratings the last one holds. */
export interface JobRated {
  branch?: string;
  author: string;
  score: number;
  comment?: string;
}

/** One reasoning request, as recorded in JobSubmitted. */
export interface JobSpec {
  messages: Message[];
  policy: string;
  params?: Record<string, unknown>;
  budget?: Budget;
  sampling?: Sampling;
  seed?: number;
  model?: string | null;
  priority?: number;
  approvals?: string[];
  metadata?: Record<string, unknown>;
  lineage?: Lineage | null;
  raw?: boolean;
  answer_format?: AnswerFormat;
}

/** Fact. The first event of every journal; the trunk exists from here on. */
export interface JobSubmitted {
  branch?: string;
  spec: JobSpec;
  policy_version: string;
  limits?: Limits;
}

/** Terminal. */
export interface JobSucceeded {
  branch?: string;
}

export interface JoinRequested {
  branch?: string;
  join: number;
  targets: string[];
  mode: Mode;
  count?: number;
  seconds?: number | null;
}

/** The tokens that a segment's decoding brought, those of thoughts, marks and the turn's end included, without those past a tag that stopped it. */
export interface KeptTokens {
  ids: string;
  logprobs?: string;
}

/** A token, and how likely the model held it. */
export interface Likelihood {
  token: string;
  logprob: number;
  raw?: number[];
}

export interface Limits {
  width?: number;
  attempts?: number;
  backoff?: number;
  prompt_price?: number;
  completion_price?: number;
  prices?: Record<string, Price>;
  hedge?: number;
  slowdown?: number;
  final_thoughts?: boolean;
}

/** Where an edited re-run comes from. */
export interface Lineage {
  job: string;
  branch: string;
  output?: string | null;
}

export interface Message {
  role: "system" | "user" | "assistant" | "tool";
  parts: (string | Output)[];
  calls?: Call[];
  result_of?: string;
}

export type Mode = "all" | "first" | "first-k" | "deadline";

/** Stands for what a branch returned, so that the text is stored once, in that branch. */
export interface Output {
  branch: string;
  limit?: number | null;
}

/** Money per token. */
export interface Price {
  prompt?: number;
  completion?: number;
}

/** A branch's context as the journal keeps it: a base by reference, then its own text. */
export interface Reading {
  base?: Base;
  turns?: number;
  cursor?: number;
  messages?: Message[];
  opening?: (string | Output)[];
}

/** A policy says why it goes on as it does: about what, in words, and with the numbers that it looked at. */
export interface ReasonGiven {
  branch?: string;
  about: string;
  text: string;
  numbers?: Record<string, number>;
}

/** What a budget limits and a job can use up. */
export type Resource = "tokens" | "seconds" | "cost";

/** Fact. The pool has room for the job to decode so many branches at once: who waits for it begins. Or, where `branch` has asked, its answer. */
export interface RoomTold {
  branch?: string;
  width: number;
  streams?: number;
}

/** How tokens are drawn. None leaves the choice to the model's own defaults. */
export interface Sampling {
  temperature?: number | null;
  top_p?: number | null;
  draw?: Draw;
  max_tokens?: number | null;
  thinking?: Thinking;
  thinking_tokens?: number | null;
  keep_tokens?: boolean;
}

/** Fact. A segment ended, well or not; also closes the open segment of a branch that was cancelled meanwhile. */
export interface SegmentFinished {
  branch?: string;
  segment: number;
  attempt: number;
  decoded: Decoded;
  copy?: number;
}

/** Fact. The open segment is late beside its siblings: it is decoded once more elsewhere; the first end counts. */
export interface SegmentHedged {
  branch?: string;
  segment: number;
  attempt: number;
  seconds: number;
  usual: number;
  silent?: boolean;
}

/** A stretch of decoding was asked for (or, with `continues`, an open stream went on into its next segment). */
export interface SegmentStarted {
  branch?: string;
  segment: number;
  attempt?: number;
  continues?: boolean;
  inserted?: string;
  messages?: Message[];
  removed?: number;
  max_tokens?: number | null;
  temperature?: number | null;
  seed?: number;
  grammar?: string | null;
  reads?: string[];
  structured?: boolean;
  final?: boolean;
  top_p?: number | null;
  output_type?: string;
  model?: string | null;
}

/** Who decoded, as far as it is known; what is not known is empty. */
export interface Served {
  provider?: string;
  host?: string;
  port?: number;
  model?: string;
}

/** A form that the decoded text must have, by structured decoding. Exactly one of the first three fields is set. */
export interface Structure {
  json_schema?: Record<string, unknown> | null;
  regex?: string | null;
  choice?: string[] | null;
  strict?: boolean;
}

/** One tag that a grammar's parser found in decoded text. */
export interface Tag {
  kind: string;
  ident?: string;
  body?: string;
  problem?: string;
}

/** A branch wrote on the shared board; readers see it at their next segment. */
export interface TextPosted {
  branch?: string;
  text: string;
}

/** Whether a model that can think before it answers does. */
export type Thinking = "auto" | "on" | "off";

/** When one segment passed each stage: Unix seconds on the replica's clock; 0.0 is 'not reached'. */
export interface Timing {
  submitted?: number;
  admitted?: number;
  scheduled?: number;
  first_token?: number;
  finished?: number;
}

/** A token that was written. */
export interface TokenLogprob {
  token: string;
  logprob: number;
  raw?: number[];
  top?: Likelihood[];
}

/** A function of the job's owner, as a model is told of it. */
export interface Tool {
  name: string;
  description?: string;
  parameters?: Record<string, unknown>;
  strict?: boolean;
}

/** What may be called, and whether something must be. */
export interface Tools {
  offered: Tool[];
  required?: boolean;
  several?: boolean;
}

/** Tokens, as the engine counted them. */
export interface Usage {
  prompt_tokens?: number;
  cached_tokens?: number;
  completion_tokens?: number;
  reasoning_tokens?: number;
}

/** Fact. A budget is nearly spent, none is exceeded: children are stopped, and the policy must answer soon. */
export interface WindUpRequested {
  branch?: string;
  resource: Resource;
  limit: number;
  spent: number;
}

export type JobStatus = "queued" | "running" | "waiting" | "succeeded" | "failed" | "cancelled";

export type BranchStatus = "queued" | "open" | "decoding" | "waiting" | "returned" | "failed" | "cancelled";

export type NodeStatus = "running" | "finished" | "failed" | "aborted";

export type NodeKind = "start" | "segment" | "tool" | "join" | "answer";

export type EdgeKind = "next" | "fork" | "join" | "depends";

/** The payload of each kind. */
export interface Payloads {
  JobSubmitted: JobSubmitted;
  JobClaimed: JobClaimed;
  AnswerCommitted: AnswerCommitted;
  JobSucceeded: JobSucceeded;
  JobFailed: JobFailed;
  JobCancelled: JobCancelled;
  JobRated: JobRated;
  BranchForked: BranchForked;
  ForkRejected: ForkRejected;
  SegmentStarted: SegmentStarted;
  SegmentFinished: SegmentFinished;
  SegmentHedged: SegmentHedged;
  HedgeLost: HedgeLost;
  RoomTold: RoomTold;
  BranchReturned: BranchReturned;
  BranchFailed: BranchFailed;
  BranchRetried: BranchRetried;
  BranchCancelled: BranchCancelled;
  JoinRequested: JoinRequested;
  BranchesJoined: BranchesJoined;
  BranchScored: BranchScored;
  BranchesVoted: BranchesVoted;
  BranchesPruned: BranchesPruned;
  BranchesMerged: BranchesMerged;
  TextPosted: TextPosted;
  ApprovalRequested: ApprovalRequested;
  ApprovalDecided: ApprovalDecided;
  ActionMalformed: ActionMalformed;
  ReasonGiven: ReasonGiven;
  WindUpRequested: WindUpRequested;
  BudgetExceeded: BudgetExceeded;
}
