/** The list of jobs: by what it is filtered, how it is sorted, grouped and shown. All of it has a place in the address. */

import type { Job } from "../data/types";
import { money, percent, seconds, times, tokens } from "./words";

export interface JobFilter {
  status: string;
  policy: string;
  /** Sought in questions alone, as older links do. */
  q: string;
  /** Sought in questions, answers, errors, and what branches gave. */
  said: string;
  model: string;
  seed: string;
  error: string;
  /** KEY=VALUE each. */
  metadata: readonly string[];
  param: readonly string[];
  budget: readonly string[];
  /** Only jobs of the last so many seconds; 0 is all. */
  within: number;
}

export const ONE_WORD = ["status", "policy", "q", "said", "model", "seed", "error"] as const;
export const FACTS = ["metadata", "param", "budget"] as const;

export function filterOf(query: URLSearchParams): JobFilter {
  const words = Object.fromEntries(ONE_WORD.map((name) => [name, query.get(name) ?? ""]));
  const facts = Object.fromEntries(FACTS.map((name) => [name, query.getAll(name)]));
  return { ...words, ...facts, within: Number(query.get("within")) || 0 } as JobFilter;
}

export function isFiltered(filter: JobFilter): boolean {
  return (
    ONE_WORD.some((name) => filter[name] !== "") ||
    FACTS.some((name) => filter[name].length > 0) ||
    filter.within > 0
  );
}

export function isFresh(job: Job, within: number, now = Date.now()): boolean {
  return within === 0 || Date.parse(job.created_at) >= now - within * 1000;
}

/** Whether a job that was just heard of belongs into the list, as far as that can be told here. */
export function fits(job: Job, filter: JobFilter): boolean {
  const { status, policy, q, said, model, seed, error, within } = filter;
  return (
    (status === "" || job.status === status) &&
    (policy === "" || job.policy.name === policy) &&
    (q === "" || has(job.question, q)) &&
    (said === "" ||
      [job.question, job.answer?.text, job.error?.title, job.error?.detail].some((text) =>
        has(text, said),
      )) &&
    (model === "" || job.model === model) &&
    (seed === "" || String(job.seed) === seed) &&
    (error === "" || job.error?.type === error) &&
    holds(job.metadata, filter.metadata) &&
    holds(job.policy.params, filter.param) &&
    holds({ ...job.budget }, filter.budget) &&
    isFresh(job, within)
  );
}

function has(text: string | undefined, wanted: string): boolean {
  return text?.toLowerCase().includes(wanted.toLowerCase()) ?? false;
}

function holds(values: Record<string, unknown>, facts: readonly string[]): boolean {
  return facts.every((fact) => {
    const at = fact.indexOf("=");
    const value = values[fact.slice(0, at)];
    const wanted = fact.slice(at + 1);
    // The service takes a number for itself however it is written.
    if (typeof value === "number") return wanted.trim() !== "" && Number(wanted) === value;
    return (typeof value === "string" || typeof value === "boolean") && String(value) === wanted;
  });
}

/** A job's news put into the list: changed in place, or first when it is new and fits; out when it no longer fits. */
export function merged(jobs: readonly Job[], news: Job, filter: JobFilter): Job[] {
  const at = jobs.findIndex((job) => job.id === news.id);
  if (at < 0)
    return fits(news, filter) && (jobs.length === 0 || news.created_at >= jobs[0]!.created_at)
      ? [news, ...jobs]
      : [...jobs];
  // What its branches said is not told here: the service found it, and it stays.
  if (!fits(news, { ...filter, said: "" })) return jobs.filter((job) => job.id !== news.id);
  return jobs.map((job) => (job.id === news.id ? news : job));
}

/** The same for a list that the service sorted, where the place of another job is not known: changed where it stands. */
export function changed(jobs: readonly Job[], news: Job): Job[] {
  return jobs.map((job) => (job.id === news.id ? news : job));
}

/** What the service is asked for: the filter as its query has it. */
export function soughtBy(filter: JobFilter, now = Date.now()): Record<string, string | readonly string[]> {
  const { within, ...sought } = filter;
  return within === 0 ? sought : { ...sought, since: new Date(now - within * 1000).toISOString() };
}

export interface Column {
  name: string;
  title: string;
  width: string;
  /** Whether the service sorts by it: jobs that have ended, the greatest first. */
  sorts: boolean;
  tell: (job: Job) => string;
}

const waste = (job: Job): number =>
  job.metrics ? job.metrics.waste_tokens / Math.max(1, job.metrics.total_tokens) : 0;
const isOver = (job: Job): boolean => job.finished_at !== null;

export const COLUMNS: readonly Column[] = [
  { name: "policy", title: "Policy", width: "136px", sorts: false, tell: (job) => job.policy.name },
  { name: "model", title: "Model", width: "120px", sorts: false, tell: (job) => job.model ?? "–" },
  {
    name: "tokens",
    title: "Tokens",
    width: "148px",
    sorts: true,
    tell: (job) =>
      job.metrics && job.metrics.total_tokens > 0
        ? `${tokens(job.metrics.total_tokens)} tok · ${times(job.metrics.parallelism)}`
        : "",
  },
  {
    name: "time",
    title: "Time",
    width: "84px",
    sorts: true,
    tell: (job) => (job.metrics && isOver(job) ? seconds(job.metrics.wall_seconds) : ""),
  },
  {
    name: "path",
    title: "Critical path",
    width: "92px",
    sorts: true,
    tell: (job) => (job.metrics && isOver(job) ? seconds(job.metrics.critical_path_seconds) : ""),
  },
  {
    name: "claim",
    title: "Claim wait",
    width: "84px",
    sorts: true,
    tell: (job) => (job.metrics && isOver(job) ? seconds(job.metrics.queue_seconds) : ""),
  },
  {
    name: "waste",
    title: "Waste",
    width: "64px",
    sorts: true,
    tell: (job) => (job.metrics && isOver(job) ? percent(waste(job)) : ""),
  },
  {
    name: "cost",
    title: "Cost",
    width: "76px",
    sorts: true,
    tell: (job) => (job.usage.cost > 0 ? money(job.usage.cost) : "–"),
  },
  {
    name: "branches",
    title: "Branches",
    width: "72px",
    sorts: true,
    tell: (job) => (job.metrics ? tokens(job.metrics.branches) : ""),
  },
  { name: "seed", title: "Seed", width: "100px", sorts: false, tell: (job) => String(job.seed) },
  {
    name: "metadata",
    title: "Metadata",
    width: "170px",
    sorts: false,
    tell: (job) =>
      Object.entries(job.metadata)
        .map(([key, value]) => `${key}=${typeof value === "string" ? value : JSON.stringify(value)}`)
        .join(" ")
        .slice(0, 200),
  },
];

export const USUAL: readonly string[] = ["policy", "tokens", "time"];

/** What the list is sorted by; "" is newest first. */
export function sortOf(query: URLSearchParams): string {
  const asked = query.get("sort") ?? "";
  return COLUMNS.some(({ name, sorts }) => sorts && name === asked) ? asked : "";
}
