/** What the API answers, in the contract's words. */

import type { JobStatus } from "../model/graph";

export interface JobMetrics {
  critical_path_tokens: number;
  total_tokens: number;
  parallelism: number;
  waste_tokens: number;
  critical_path_seconds: number;
  wall_seconds: number;
  queue_seconds: number;
  branches: number;
}

export interface Job {
  id: string;
  status: JobStatus;
  question: string;
  policy: { name: string; params?: Record<string, unknown> };
  budget: Record<string, number | null>;
  priority: number;
  seed: number;
  metadata?: Record<string, unknown>;
  lineage?: { job?: string; branch?: string } | null;
  answer: { text: string; sources: string[] } | null;
  error: { type: string; title: string; detail?: string } | null;
  usage: { prompt_tokens: number; cached_tokens: number; completion_tokens: number; cost: number };
  metrics: JobMetrics | null;
  trace_id: string;
  created_at: string;
  started_at: string | null;
  finished_at: string | null;
  attempt: number;
}

export interface Page<T> {
  items: T[];
  next_cursor?: string | null;
}

/** How busy queue and pool are. */
export interface Load {
  queued: number;
  running: number;
  replicas: number;
  decoding: number;
  capacity: number;
}

export interface WaitingApproval {
  id: string;
  job: string;
  approval: number;
  branch: string;
  gate: string;
  subject: string;
  question?: string;
  requested_at: string;
  timeout?: number | null;
  default?: string;
}

export interface Schema {
  type?: string;
  anyOf?: Schema[];
  enum?: unknown[];
  const?: unknown;
  default?: unknown;
  description?: string;
  title?: string;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  properties?: Record<string, Schema>;
  required?: string[];
}

export interface PolicyInfo {
  name: string;
  title: string;
  paper: string;
  use_when: string;
  params: Schema;
  /** Taken for jobs that name none. */
  default: boolean;
}

export interface Context {
  messages: { role: string; content: string }[];
  /** How the assistant's turn begins. */
  continuation: string;
}

export interface BranchDetail {
  /** As sent for its first decode; null before that. */
  context: Context | null;
}
