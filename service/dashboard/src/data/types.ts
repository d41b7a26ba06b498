/** What the API answers, in the dashboard's words for it. */

import type { ApprovalDetail, ApprovalView, JobView, MetricsView, PolicyInfoView } from "./api.generated";

/** All of them are there, exact once the job has ended. */
export type JobMetrics = Required<MetricsView>;

export type Job = Omit<JobView, "metrics"> & { metrics: JobMetrics | null };

export type { ApprovalDetail };

export type WaitingApproval = ApprovalView;

export type PolicyInfo = PolicyInfoView & { params: Schema };

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
  /** By name; of a service from before pools had names, none. */
  pools?: Record<string, PoolLoad>;
}

export interface PoolLoad {
  replicas: number;
  decoding: number;
  capacity: number;
  /** Of those decoding: for a replica. */
  waiting: number;
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

export interface Context {
  messages: { role: string; content: string }[];
  /** How the assistant's turn begins. */
  continuation: string;
}

export interface BranchDetail {
  /** As sent for its first decode; null before that. */
  context: Context | null;
  /** What its decode waits for, where its pool has no replica. */
  waiting_for?: string | null;
}

/** As OpenAI's Batch API tells it. */
export interface Batch {
  id: string;
  endpoint: string;
  status: string;
  completion_window: string;
  created_at: number;
  request_counts: { total: number; completed: number; failed: number };
  metadata: Record<string, string>;
}

export interface BatchPage {
  data: Batch[];
  last_id: string | null;
  has_more: boolean;
}
