/** What the API is sent and what it answers. Written by scripts/wire_types.py; change the Python types, not this file. */

/** Only these of the functions may be called. */
export interface AllowedChoice {
  type: "allowed_tools";
  allowed_tools: anabranch__service__api__views__chat__tools__AllowedTools;
}

export interface AnswerFormatView {
  json_schema: Record<string, unknown> | null;
  regex: string | null;
  choice: string[] | null;
  strict?: boolean;
  stop: string[];
  max_tokens: number | null;
  logprobs: number | null;
}

export interface AnswerView {
  text: string;
  /** The branches that the answer was made from. */
  sources: string[];
  /** Given from what there was, because a limit was near. */
  forced?: boolean;
  /** A limit of tokens cut its text. */
  truncated?: boolean;
  /** Tools of the client's that it calls, behind its text, which may be empty then. */
  calls?: CallView[];
  /** Passages that the text cites by their numbers. */
  citations?: CitationView[];
}

export interface ApprovalDetail {
  id: string;
  job: string;
  approval: number;
  branch: string;
  gate: string;
  subject: string;
  question: string;
  requested_at: string;
  timeout: number | null;
  default: string;
  decision: string | null;
  edit: string | null;
  reason: string | null;
  decided_at: string | null;
  /** Of a fork or a merge that waits: the branches. Null for other gates, and where it cannot be told. */
  children: AskedChild[] | null;
  /** Each limit of the job's budget, and what of it is spent. */
  left: BudgetLeft[];
}

export interface ApprovalView {
  id: string;
  job: string;
  approval: number;
  branch: string;
  gate: string;
  subject: string;
  question: string;
  requested_at: string;
  timeout: number | null;
  default: string;
  decision: string | null;
  edit: string | null;
  reason: string | null;
  decided_at: string | null;
}

export interface Approvals {
  items: ApprovalView[];
  next_cursor: string | null;
}

/** What an arm reached, and at what cost per trial; see `docs/evaluation.md`. */
export interface ArmView {
  arm: string;
  trials: number;
  right: number;
  accuracy: number;
  /** Of the accuracy: Wilson's, 95 %. */
  interval: IntervalView;
  mean_score: number;
  critical_path_tokens: number;
  total_tokens: number;
  parallelism: number;
  /** The share of all decoded tokens that no answer used. */
  waste: number;
  wall_seconds: number;
  median_wall_seconds: number;
  cost: number;
  jobs: string[];
}

/** A branch that is not there yet. */
export interface AskedChild {
  role: string;
  label: string;
  /** What it inherits before its own messages: nothing, problem, or parent. */
  reads: string;
  messages: AskedMessage[];
  /** How its turn begins. */
  opening: string;
  /** Branches that must end first. */
  after: string[];
  /** Of a child that is an organization of its own. */
  policy: string | null;
  tool: string | null;
  model: string | null;
  /** Null: what the job's sampling and its budget leave. */
  max_tokens: number | null;
}

export interface AskedMessage {
  role: string;
  content: string;
}

export interface AttemptView {
  /** From 1. One that is missing was cut off: its process ended. */
  number: number;
  at: string;
  /** Of the answer. */
  status: number | null;
  error: string | null;
  seconds: number;
}

/** Whether the hash chain holds, and the projections equal a rebuild from the journal. */
export interface Audit {
  job: string;
  ok: boolean;
  events: number;
  head_hash: string;
  /** The first bad record. */
  broken: Broken | null;
  differences: Difference[];
}

export interface Broken {
  seq: number;
  /** What was done to it: changed, missing, added or reordered. */
  reason: string;
}

export interface BudgetLeft {
  resource: string;
  limit: number;
  spent: number;
}

/** None is no limit. */
export interface BudgetView {
  tokens: number | null;
  seconds: number | null;
  branch_seconds: number | null;
  branches: number | null;
  depth: number | null;
  cost: number | null;
}

export interface Call {
  id?: string | null;
  function: Function;
}

export interface CallItem {
  type: "function_call";
  call_id: string;
  name: string;
  arguments: string;
}

/** A call of one of the client's tools. */
export interface CallView {
  /** What a turn with its result names as tool_call_id. */
  id: string;
  name: string;
  /** JSON of an object, as the model wrote it. */
  arguments: string;
}

export interface ChatFunction {
  name: string;
  description?: string | null;
  parameters?: Record<string, unknown> | null;
  strict?: boolean | null;
}

export interface ChatMessage {
  role: "system" | "developer" | "user" | "assistant" | "tool" | "function";
  /** Null in a turn of the assistant only. */
  content?: string | Part[] | null;
  name?: string | null;
  tool_calls?: Call[] | null;
  tool_call_id?: string | null;
  function_call?: Function | null;
}

/** POST /v1/chat/completions. `model` is anabranch/POLICY, or anabranch/POLICY@MODEL with a model of the pool. Null is the same as leaving a field out. */
export interface ChatRequest {
  model: string;
  messages: ChatMessage[];
  stream?: boolean | null;
  stream_options?: anabranch__service__api__views__chat__request__StreamOptions | null;
  temperature?: number | null;
  top_p?: number | null;
  top_k?: number | null;
  min_p?: number | null;
  presence_penalty?: number | null;
  frequency_penalty?: number | null;
  repetition_penalty?: number | null;
  /** Of the answer; where a policy composes its answer of parts: of each of them. */
  max_tokens?: number | null;
  /** Of all branches together. */
  max_completion_tokens?: number | null;
  /** -1, as left out: drawn, and recorded. */
  seed?: number | null;
  /** How wide the policy thinks (`efforts` in GET /v1/policies; anabranch.params comes first), and how long a thinking model does; none: it does not think. */
  reasoning_effort?: "none" | "minimal" | "low" | "medium" | "high" | "xhigh" | "max" | null;
  /** The answer ends before the first of these. */
  stop?: string | string[] | null;
  /** Of the answer, by structured decoding. */
  response_format?: anabranch__service__api__views__chat__format__TextFormat | anabranch__service__api__views__chat__format__JsonObjectFormat | anabranch__service__api__views__chat__format__JsonSchemaFormat | null;
  /** The answer may call them; a policy that cannot is refused, and says which can. */
  tools?: ChatTool[] | null;
  tool_choice?: "none" | "auto" | "required" | NamedChoice | AllowedChoice | null;
  parallel_tool_calls?: boolean | null;
  /** Of the older protocol: the answer is told in its words. */
  functions?: ChatFunction[] | null;
  function_call?: "none" | "auto" | Named | null;
  /** How likely each token of the answer was; where the answer was found within a text (a vote's), of that text. In a stream all come behind the content, in a chunk of their own. Null where they are unknown: the engine did not tell all of them, the decode was interrupted, or no one decode wrote the answer. */
  logprobs?: boolean | null;
  /** So many of the likeliest tokens at each place, too; with logprobs. */
  top_logprobs?: number | null;
  /** Choices: each is the answer of a job of its own, with a seed of its own. */
  n?: number | null;
  /** The job goes on when its client goes away, to be found by the completion's id. */
  store?: boolean | null;
  metadata?: Record<string, unknown> | null;
  anabranch?: Extra | null;
  /** Taken, and changes nothing. */
  user?: unknown;
  /** Taken, and changes nothing. */
  service_tier?: unknown;
  /** Taken, and changes nothing. */
  safety_identifier?: unknown;
  /** Taken, and changes nothing. */
  prompt_cache_key?: unknown;
  /** Taken, and changes nothing. */
  prompt_cache_retention?: unknown;
  /** Any other value is refused: say it with temperature and top_p. */
  logit_bias?: {} | null;
  /** Any other value is refused: ask for it in a system message. */
  verbosity?: "medium" | null;
  /** Any other value is refused: answers are text. */
  modalities?: ["text"] | null;
  /** Any other value is refused: answers are text. */
  audio?: null;
  /** Any other value is refused: leave it out; an answer that was begun goes in a last assistant message. */
  prediction?: null;
  /** Any other value is refused: put what was found on the web into the messages. */
  web_search_options?: null;
}

export interface ChatTool {
  type: "function";
  function: ChatFunction;
}

/** A passage of a knowledge source. */
export interface CitationView {
  /** As it stands in the answer, in brackets. */
  number: number;
  /** The operator's tool that gave it. */
  source: string;
  /** The branch that called the tool: its value has the passage in full. */
  branch: string;
  title?: string;
  url?: string;
  /** How the passage begins. */
  text?: string;
}

export interface ContentPart {
  type: "input_text" | "output_text" | "text" | "summary_text" | "reasoning_text" | "refusal";
  text?: string | null;
  refusal?: string | null;
}

/** What a person says at a gate. */
export interface DecisionRequest {
  decision: "approve" | "edit" | "reject";
  /** What is approved instead of the subject; with decision edit only. */
  edit?: string | null;
  reason?: string;
}

export interface Deliveries {
  items: DeliveryView[];
}

export interface DeliveryView {
  id: string;
  /** The header `webhook-id`: the same for every attempt and every endpoint. */
  message: string;
  type: string;
  job: string | null;
  batch?: string | null;
  endpoint: string;
  /** Scheme and host that it is sent to. */
  origin: string;
  status: "waiting" | "delivered" | "given_up";
  created_at: string;
  next_attempt_at: string | null;
  attempts: AttemptView[];
}

/** A value in a table that is not what the journal gives. */
export interface Difference {
  table: string;
  key: string[];
  column: string;
  stored: string;
  folded: string;
}

/** An arm less the baseline, over the tasks that both were judged on. */
export interface DifferenceView {
  arm: string;
  baseline: string;
  pairs: number;
  /** Tasks that the arm alone has right. */
  gained: number;
  /** Tasks that the baseline alone has right. */
  lost: number;
  accuracy: number;
  interval: IntervalView;
  /** McNemar's exact test; of repeated tasks, its form for them. */
  p_value: number;
  critical_path_tokens: number;
  critical_path_interval: IntervalView;
  /** Mean T of the baseline over the arm's. */
  speedup: number | null;
}

export type EdgeKind = "next" | "fork" | "join" | "depends";

/** An endpoint for all jobs of the tenant. */
export interface EndpointRequest {
  /** https, and public, unless the operator allows others. */
  url: string;
  /** Of what it hears. Left out: of all. */
  events?: ("job.started" | "job.awaiting_approval" | "job.completed" | "job.failed" | "job.cancelled" | "batch.completed" | "batch.cancelled" | "batch.expired")[];
}

export interface EndpointView {
  id: string;
  tenant: string;
  url: string;
  /** Types; empty: all. */
  events: string[];
  status: "enabled" | "disabled";
  created_at: string;
  /** Since then every attempt has failed. */
  failing_since: string | null;
  disabled_because: string | null;
  /** Until then calls carry a second signature, by the secret before the last. */
  former_secret_until?: string | null;
}

export interface Endpoints {
  items: EndpointView[];
}

export interface ErrorGroupList {
  items: ErrorGroupView[];
  /** False: older failed jobs were not looked at, or there are more groups. */
  complete: boolean;
}

/** Jobs that failed with the same error. */
export interface ErrorGroupView {
  type: string;
  title: string;
  count: number;
  /** The job that failed so last. */
  newest: string;
  newest_at: string;
}

export interface ErrorView {
  type: string;
  title: string;
  detail: string;
}

export interface EvaluationList {
  items: EvaluationSummary[];
}

/** A paired comparison: every arm answers every task, with the same seeds. The first arm is the baseline. */
export interface EvaluationRequest {
  title: string;
  /** Of all that is compared, graders included: the same name and digest are the same evaluation. */
  digest: string;
  tasks: SentTask[];
  arms: SentArm[];
  seed?: number;
  limits?: SentLimits;
  sampling?: SentSampling;
}

export interface EvaluationSummary {
  run: string;
  title: string;
  tasks: number;
  arms: string[];
  /** Trials that have been judged, of tasks times arms. */
  judged: number;
  created_at: string;
  updated_at: string;
}

export interface EvaluationView {
  run: string;
  title: string;
  tasks: number;
  arms: string[];
  /** Trials that have been judged, of tasks times arms. */
  judged: number;
  created_at: string;
  updated_at: string;
  /** Tasks, arms, seed, limits and sampling, as they were sent. */
  design: Record<string, unknown>;
  reports: ArmView[];
  differences: DifferenceView[];
  /** Of each cost: the arms that none beats in accuracy at the same cost or less, cheapest first. */
  frontiers: Record<string, string[]>;
  trials: TrialView[];
}

export interface ExportFormatView {
  name: string;
  title: string;
  media_type: string;
}

export interface ExportFormats {
  items: ExportFormatView[];
}

/** What OpenAI has no words for: sent under `anabranch` (the Python client's `extra_body`). */
export interface Extra {
  params?: Record<string, unknown> | null;
  budget?: SentBudget | null;
  priority?: number | null;
  metadata?: Record<string, unknown> | null;
}

export interface Fault {
  path: string;
  message: string;
}

export interface FeedbackList {
  items: FeedbackView[];
}

/** A rating of an answer: a reward of its job in exports for training. */
export interface FeedbackRequest {
  /** From 0.0 (bad) to 1.0 (good): a thumb is one of them. */
  score: number;
  comment?: string;
  /** Who rates. Left out: the key's owner. An author's later rating takes the place. */
  author?: string | null;
}

export interface FeedbackView {
  author: string;
  score: number;
  comment: string;
  at: string;
}

export interface Function {
  name: string;
  arguments?: string | null;
}

/** What clients add for others (who may call it, when it is loaded) is left alone. */
export interface FunctionTool {
  type: "function";
  name: string;
  description?: string | null;
  parameters?: Record<string, unknown> | null;
  strict?: boolean | null;
}

export interface Graph {
  nodes: GraphNode[];
  edges: GraphEdge[];
}

export interface GraphEdge {
  source: string;
  target: string;
  kind: EdgeKind;
}

export interface GraphNode {
  id: string;
  branch: string;
  kind: NodeKind;
  status: NodeStatus;
  tokens: number;
  started_at: string | null;
  first_token_at: string | null;
  finished_at: string | null;
  queue_seconds: number;
  /** On the critical path in tokens. */
  critical: boolean;
  /** On the critical path in seconds of work. */
  critical_seconds: boolean;
}

export interface Healthy {
  status?: string;
  /** Names this process; a new one in each. */
  instance?: string;
}

export interface IntervalView {
  low: number;
  high: number;
}

export interface JobPage {
  items: JobView[];
  next_cursor: string | null;
}

/** A reasoning request: a question (or messages, or a raw prompt), a policy, limits. */
export interface JobRequest {
  /** Either this, `messages` or `prompt`. */
  question?: string | null;
  /** A conversation whose last word is the user's, or the beginning of the answer: a last assistant message is continued. */
  messages?: SentMessage[] | null;
  /** Raw text that the model goes on with, without a chat template: for models and policies that are trained on completions. */
  prompt?: string | null;
  /** Left out: the server's default policy. */
  policy?: PolicyChoice | null;
  budget?: SentBudget;
  /** 0 is first, 9 is last. */
  priority?: number;
  /** Left out: drawn, and recorded. */
  seed?: number | null;
  /** Left out: the pool's own model. */
  model?: string | null;
  sampling?: SentSampling;
  answer_format?: SentAnswerFormat;
  /** Gates at which a person decides. */
  approvals?: ("plan" | "fork" | "join" | "answer")[];
  /** What the answer may call in place of text, or behind it. The client runs what is called, and asks again with the results in turns of the tool. */
  tools?: SentTool[];
  /** auto, none, required, or the name of the tool that must be called. */
  tool_choice?: string;
  /** Several tools may be called at once. */
  parallel_tool_calls?: boolean;
  metadata?: Record<string, unknown>;
  /** Who is called when something becomes of the job. */
  webhook?: SentWebhook | null;
}

export type JobStatus = "queued" | "running" | "waiting" | "succeeded" | "failed" | "cancelled";

export interface JobView {
  id: string;
  status: JobStatus;
  /** What its decodes wait for, where a pool that they need has no replica. */
  waiting_for?: string | null;
  question: string;
  /** Empty where a raw prompt was sent. */
  messages: Record<string, unknown>[];
  /** The raw prompt, where one was sent; `question` then says the same. */
  prompt?: string | null;
  policy: PolicyView;
  budget: BudgetView;
  priority: number;
  seed: number;
  model: string | null;
  sampling: SamplingView;
  /** Null where the answer may be any text. */
  answer_format?: AnswerFormatView | null;
  /** What the answer may call. Null: nothing. */
  tools?: ToolsView | null;
  approvals: string[];
  metadata: Record<string, unknown>;
  /** On an edited re-run: where it comes from. */
  lineage: LineageView | null;
  answer: AnswerView | null;
  error: ErrorView | null;
  usage: UsageView;
  metrics: MetricsView;
  trace_id: string;
  created_at: string;
  started_at: string | null;
  finished_at: string | null;
  attempt: number;
  /** Events in its journal. */
  head_seq: number;
  cancel_requested: boolean;
}

export interface KeyView {
  /** How the key begins; null for one of the tenants file, and without keys. */
  name: string | null;
  tenant: string;
  /** Sees all tenants. */
  operator: boolean;
  roles: Role[];
  expires_at: string | null;
  requests_per_minute: number | null;
  streams: number | null;
}

export interface LineageView {
  /** The job that it comes from. */
  job: string;
  /** The edited branch. */
  branch: string;
  /** What it returned instead. */
  output: string | null;
}

export interface MessageItem {
  type?: "message" | null;
  role: "user" | "assistant" | "system" | "developer";
  content: string | ContentPart[];
}

/** T, L, P, waste and times. They are exact once the job has ended. */
export interface MetricsView {
  critical_path_tokens?: number;
  total_tokens?: number;
  parallelism?: number;
  waste_tokens?: number;
  critical_path_seconds?: number;
  wall_seconds?: number;
  queue_seconds?: number;
  branches?: number;
  /** Who counted some of its tokens was lost: these were decoded, perhaps more. */
  usage_at_least?: boolean;
  /** Some of its tokens nobody counted: they are told by the text's length. */
  usage_estimated?: boolean;
}

export interface Named {
  name: string;
}

/** This function must be called. */
export interface NamedChoice {
  type: "function";
  function: Named;
}

/** Name and description are taken, and change nothing. `strict` is told to an upstream; engines of our own always keep to the schema. */
export interface NamedSchema {
  schema: Record<string, unknown>;
  strict?: boolean | null;
}

export interface NamedTool {
  type: "function";
  name: string;
}

export interface NewEndpointView {
  id: string;
  tenant: string;
  url: string;
  /** Types; empty: all. */
  events: string[];
  status: "enabled" | "disabled";
  created_at: string;
  /** Since then every attempt has failed. */
  failing_since: string | null;
  disabled_because: string | null;
  /** Until then calls carry a second signature, by the secret before the last. */
  former_secret_until?: string | null;
  /** What signatures are checked with. It is told this once. */
  secret: string;
}

export type NodeKind = "start" | "segment" | "tool" | "join" | "answer";

export type NodeStatus = "running" | "finished" | "failed" | "aborted";

export interface Part {
  type: "text" | "refusal";
  text?: string | null;
  refusal?: string | null;
}

export interface Policies {
  items: PolicyInfoView[];
}

export interface PolicyChoice {
  name: string;
  /** See GET /v1/policies. */
  params?: Record<string, unknown>;
}

export interface PolicyInfoView {
  name: string;
  title: string;
  paper: string;
  use_when: string;
  version: string;
  params: Record<string, unknown>;
  presets: Record<string, PresetView>;
  default: boolean;
  /** Whether its answer can be held to a form and a length, and told with logprobs. */
  answer_format: boolean;
  /** Its parameters by chat's reasoning_effort, where they are not its defaults. */
  efforts: Record<string, Record<string, unknown>>;
  /** Whether its answer may call tools of the client's. */
  tools: boolean;
  /** Whether it reads thoughts, too (with assist: none, where it has that parameter): its model was trained to write its tags among them. */
  raw_thoughts: boolean;
}

export interface PolicyView {
  name: string;
  params: Record<string, unknown>;
}

export interface PoolState {
  replicas: number;
  decoding: number;
  capacity: number;
  /** Of those decoding: for a replica. */
  waiting: number;
  /** ready, or what its decodes wait for. */
  state: string;
}

export interface PresetView {
  about: string;
  params: Record<string, unknown>;
}

/** RFC 9457. `errors` names each wrong field. */
export interface ProblemDetails {
  type: string;
  title: string;
  status: number;
  detail: string;
  errors?: Fault[] | null;
}

export interface Ready {
  status?: string;
  replicas: number;
  organizers: number;
  pools?: Record<string, PoolState>;
}

export interface Reasoning {
  effort?: string | null;
  /** Taken, and changes nothing. */
  summary?: unknown;
  /** Taken, and changes nothing. */
  generate_summary?: unknown;
  /** Taken, and changes nothing. */
  context?: unknown;
  /** Any other value is refused: choose the policy's width in anabranch.params, as n. */
  mode?: "standard" | null;
}

/** Earlier reasoning. It is taken, and not read again: what policies think, they think anew. */
export interface ReasoningItem {
  type: "reasoning";
  summary?: ContentPart[] | null;
  content?: ContentPart[] | null;
}

/** An edited re-run: a new job in which this branch returned something else. */
export interface ReplayRequest {
  branch: string;
  output: string;
}

/** POST /v1/responses. `model` is anabranch/POLICY. Null is the same as leaving a field out. */
export interface ResponseRequest {
  /** Left out: the server's default policy. */
  model?: string | null;
  input: string | (MessageItem | CallItem | ResultItem | ReasoningItem)[];
  /** A system message in front; a response that goes on has its own. */
  instructions?: string | null;
  /** The response whose conversation goes on; it is stored and has an answer. */
  previous_response_id?: string | null;
  /** Answer at once, and run on by itself. */
  background?: boolean | null;
  stream?: boolean | null;
  stream_options?: anabranch__service__api__responses__request__StreamOptions | null;
  /** False: the response cannot be found again by its id. Its job is journaled all the same. */
  store?: boolean | null;
  text?: Text | null;
  tools?: (FunctionTool | Record<string, unknown>)[] | null;
  tool_choice?: "none" | "auto" | "required" | NamedTool | anabranch__service__api__responses__request__AllowedTools | null;
  parallel_tool_calls?: boolean | null;
  reasoning?: Reasoning | null;
  /** Of all branches together. */
  max_output_tokens?: number | null;
  temperature?: number | null;
  top_p?: number | null;
  metadata?: Record<string, unknown> | null;
  anabranch?: Extra | null;
  /** Taken, and changes nothing. */
  background_options?: unknown;
  /** Taken, and changes nothing. */
  user?: unknown;
  /** Taken, and changes nothing. */
  service_tier?: unknown;
  /** Taken, and changes nothing. */
  safety_identifier?: unknown;
  /** Taken, and changes nothing. */
  prompt_cache_key?: unknown;
  /** Taken, and changes nothing. */
  prompt_cache_retention?: unknown;
  /** Taken, and changes nothing. */
  prompt_cache_options?: unknown;
  /** Taken, and changes nothing: no input is cut. */
  truncation?: "auto" | "disabled" | null;
  include?: string[] | null;
  /** Any other value is refused: go on from a response by previous_response_id. */
  conversation?: null;
  /** Any other value is refused: write its text into instructions and input. */
  prompt?: null;
  /** Any other value is refused: send the items that are to be read. */
  context_management?: [] | null;
  /** Any other value is refused: no tool runs here; end the conversation when it is enough. */
  max_tool_calls?: null;
  /** Any other value is refused: moderate what you send and what you get. */
  moderation?: null;
  /** Any other value is refused: chat completions tell them (logprobs, top_logprobs). */
  top_logprobs?: 0 | null;
  /** Any other value is refused: say it with temperature and top_p. */
  presence_penalty?: 0 | null;
  /** Any other value is refused: say it with temperature and top_p. */
  frequency_penalty?: 0 | null;
}

export interface ResultItem {
  type: "function_call_output";
  call_id: string;
  output: string | ContentPart[];
}

/** What a key may be for. `service/api/roles.py` says which route takes which. */
export type Role = "submit" | "read" | "approve" | "admin";

/** A new secret for an endpoint. */
export interface RotateRequest {
  /** For so long the old one signs, too. */
  overlap_seconds?: number;
}

/** None leaves the choice to the model, or, of tokens, is no limit. */
export interface SamplingView {
  temperature: number | null;
  top_p: number | null;
  top_k: number | null;
  min_p: number | null;
  presence_penalty: number | null;
  frequency_penalty: number | null;
  repetition_penalty: number | null;
  max_tokens: number | null;
  thinking: Thinking;
  thinking_tokens: number | null;
  keep_tokens?: boolean;
}

/** What the answer's text must be like. It holds for the decodes whose text is the answer, or a candidate for it. */
export interface SentAnswerFormat {
  json_schema?: Record<string, unknown> | null;
  regex?: string | null;
  choice?: string[] | null;
  /** Of json_schema: an upstream keeps to all of it. */
  strict?: boolean;
  /** The answer ends before the first of these. */
  stop?: string[];
  /** Tokens the answer may have. */
  max_tokens?: number | null;
  /** How likely the answer's tokens were is told, by the SegmentFinished events of what decoded them, with so many of the likeliest at each place. Left out: it is not. */
  logprobs?: number | null;
}

export interface SentArm {
  label: string;
  policy: string;
  params?: Record<string, unknown>;
  model?: string | null;
}

/** What the job may spend. What is left out is not limited. */
export interface SentBudget {
  /** Decoded tokens over all branches. */
  tokens?: number | null;
  /** From claim to answer. */
  seconds?: number | null;
  /** From a branch's first decode to its end; it is then cancelled. */
  branch_seconds?: number | null;
  branches?: number | null;
  /** Forks between the trunk and the deepest branch. */
  depth?: number | null;
  /** In the currency of the operator's price table. */
  cost?: number | null;
}

/** A call in a turn of the assistant. */
export interface SentCall {
  id: string;
  name: string;
  /** JSON, as the model wrote it. */
  arguments?: string;
}

/** What each trial may spend. What is left out is not limited. */
export interface SentLimits {
  tokens?: number | null;
  seconds?: number | null;
  cost?: number | null;
  /** An answer with a longer critical path counts as wrong. */
  critical_path_tokens?: number | null;
}

export interface SentMessage {
  role: "system" | "user" | "assistant" | "tool";
  content: string;
  /** In a turn of the assistant: what it called, behind its text. */
  tool_calls?: SentCall[];
  /** In a turn of the tool: which call of an earlier turn gave this content. */
  tool_call_id?: string | null;
}

/** How tokens are drawn. What is left out is the server's default. */
export interface SentSampling {
  temperature?: number | null;
  top_p?: number | null;
  /** 0 or -1: of all tokens. */
  top_k?: number | null;
  min_p?: number | null;
  presence_penalty?: number | null;
  frequency_penalty?: number | null;
  repetition_penalty?: number | null;
  /** Tokens that one segment may decode. Left out: what the model's context and the budget leave. */
  max_tokens?: number | null;
  /** Whether models that can think first do. Left out: auto, as each does by itself. */
  thinking?: "auto" | "on" | "off" | null;
  /** Tokens after which the thinking of each decode is brought to an end, where its engine can. */
  thinking_tokens?: number | null;
  /** The journal keeps the ids and logprobs of all decoded tokens, for training, where the engine tells them. Left out: as the service is set up. */
  keep_tokens?: boolean | null;
}

export interface SentTask {
  id: string;
  question: string;
  answer?: string | null;
  grader: string;
  /** The id of the task that it asks once more, with another seed. */
  repeats?: string;
}

/** A function of the client's: the answer may call it, the client runs it. */
export interface SentTool {
  name: string;
  description?: string;
  /** JSON Schema of its arguments. */
  parameters?: Record<string, unknown>;
  /** Arguments must keep to the schema, where the engine can see to it. */
  strict?: boolean;
}

/** An endpoint for one job. */
export interface SentWebhook {
  /** https, and public, unless the operator allows others. */
  url: string;
  /** What it is signed with: `whsec_` and 24 to 64 random bytes in Base64. It is never told again. */
  secret: string;
  /** Of what it hears. Left out: of all. */
  events?: ("job.started" | "job.awaiting_approval" | "job.completed" | "job.failed" | "job.cancelled")[];
}

/** The greatest first. */
export type Sort = "tokens" | "time" | "path" | "claim" | "waste" | "cost" | "branches";

export interface Text {
  format?: anabranch__service__api__responses__request__TextFormat | anabranch__service__api__responses__request__JsonObjectFormat | anabranch__service__api__responses__request__JsonSchemaFormat | null;
  /** Any other value is refused: ask for it in the instructions. */
  verbosity?: "medium" | null;
}

/** Whether a model that can think before it answers does. */
export type Thinking = "auto" | "on" | "off";

export interface ToolView {
  name: string;
  description: string;
  parameters: Record<string, unknown>;
  strict: boolean;
}

/** What the job's answer may call. */
export interface ToolsView {
  offered: ToolView[];
  /** A call must come. */
  required: boolean;
  /** Several may be called at once. */
  several: boolean;
}

/** The verdict on one trial, by whoever graded its answer. */
export interface TrialRequest {
  task: string;
  arm: string;
  job: string;
  /** 1.0 is right. */
  score: number;
  /** Why it is not 1.0. */
  detail?: string;
}

export interface TrialView {
  task: string;
  arm: string;
  job: string;
  status: string;
  score: number;
  detail: string;
  critical_path_tokens: number;
  total_tokens: number;
  waste_tokens: number;
  wall_seconds: number;
  cost: number;
}

export interface UsageView {
  prompt_tokens: number;
  cached_tokens: number;
  completion_tokens: number;
  /** Of completion_tokens, those of thoughts. */
  reasoning_tokens: number;
  cost: number;
}

export interface anabranch__service__api__responses__request__AllowedTools {
  type: "allowed_tools";
  mode?: "none" | "auto" | "required" | null;
  tools: NamedTool[];
}

export interface anabranch__service__api__responses__request__JsonObjectFormat {
  type: "json_object";
}

/** Name and description are taken, and change nothing; `strict` is that of chat completions. */
export interface anabranch__service__api__responses__request__JsonSchemaFormat {
  type: "json_schema";
  schema: Record<string, unknown>;
  name?: string | null;
  description?: string | null;
  strict?: boolean | null;
}

export interface anabranch__service__api__responses__request__StreamOptions {
  /** Taken, and changes nothing. */
  include_obfuscation?: unknown;
}

export interface anabranch__service__api__responses__request__TextFormat {
  type: "text";
}

export interface anabranch__service__api__views__chat__format__JsonObjectFormat {
  type: "json_object";
}

export interface anabranch__service__api__views__chat__format__JsonSchemaFormat {
  type: "json_schema";
  json_schema: NamedSchema;
}

export interface anabranch__service__api__views__chat__format__TextFormat {
  type: "text";
}

export interface anabranch__service__api__views__chat__request__StreamOptions {
  include_usage?: boolean | null;
  /** Taken, and changes nothing. */
  include_obfuscation?: unknown;
  /** Each chunk tells the usage so far. */
  continuous_usage_stats?: boolean | null;
}

export interface anabranch__service__api__views__chat__tools__AllowedTools {
  mode: "auto" | "required";
  tools: Record<string, unknown>[];
}
