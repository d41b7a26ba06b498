/** A job's request as a form: filled from an earlier job, and back to what `POST /v1/jobs` takes. */

import type { Job } from "../data/types";
import { type Field, readField } from "./params";

export type Typed = Record<string, string>;

export interface Form {
  question: string;
  params: Typed;
  /** Budget, sampling, seed, priority and model, as typed. */
  more: Typed;
  metadata: string;
  approvals: readonly string[];
  /** What the form has no field for, sent as it was. */
  kept: Record<string, unknown>;
}

export const LIMITS: readonly [string, string][] = [
  ["tokens", "decoded tokens"],
  ["seconds", "from claim to answer"],
  ["branch_seconds", "of one branch"],
  ["branches", "at most"],
  ["depth", "forks below one another"],
  ["cost", "in the price table’s currency"],
];
export const SAMPLING: readonly [string, string][] = [
  ["temperature", "0 is greedy"],
  ["top_p", "above 0, at most 1"],
  ["max_tokens", "per segment"],
  ["thinking_tokens", "after which thinking ends"],
];
const DRAW = ["top_k", "min_p", "presence_penalty", "frequency_penalty", "repetition_penalty"] as const;

export const EMPTY: Form = { question: "", params: {}, more: {}, metadata: "", approvals: [], kept: {} };

/** The form that would submit this job again. Its seed stays: the same is asked until something is edited. */
export function formOf(job: Job): Form {
  const { sampling, budget } = job;
  // A batch's job has 10 more than its line asked for, which nobody else may ask for.
  const priority = String(job.priority % 10);
  const more: Typed = { seed: String(job.seed), priority, model: job.model ?? "" };
  for (const [name] of LIMITS) more[name] = typed(budget[name as keyof typeof budget]);
  for (const [name] of SAMPLING) more[name] = typed(sampling[name as keyof typeof sampling]);
  more.thinking = sampling.thinking === "auto" ? "" : sampling.thinking;
  const params = Object.entries(job.policy.params).map(([name, value]) => [name, typed(value)]);
  return {
    question: job.question,
    params: Object.fromEntries(params),
    more,
    metadata: Object.keys(job.metadata).length > 0 ? JSON.stringify(job.metadata, null, 1) : "",
    approvals: job.approvals,
    kept: keptOf(job),
  };
}

function keptOf(job: Job): Record<string, unknown> {
  const draw = DRAW.flatMap((name) => (job.sampling[name] === null ? [] : [[name, job.sampling[name]]]));
  const { tools } = job;
  return {
    ...(job.messages.length > 1 ? { messages: job.messages } : {}),
    ...(job.prompt === null || job.prompt === undefined ? {} : { prompt: job.prompt }),
    ...(draw.length > 0 ? { draw: Object.fromEntries(draw) } : {}),
    ...(job.answer_format ? { answer_format: withoutNulls(job.answer_format) } : {}),
    ...(tools
      ? {
          tools: tools.offered,
          tool_choice: tools.required ? "required" : "auto",
          parallel_tool_calls: tools.several,
        }
      : {}),
  };
}

function typed(value: unknown): string {
  if (value === null || value === undefined) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}

function withoutNulls(value: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== null));
}

/** The request's body. Raises SyntaxError for what should be JSON and is not. */
export function bodyOf(form: Form, policy: string, fields: readonly Field[]): Record<string, unknown> {
  const { more, kept } = form;
  const { draw, messages, prompt, ...rest } = kept;
  const given = fields.map((field) => [field.name, readField(field, form.params[field.name] ?? "")] as const);
  return {
    ...asked(form.question, messages, prompt),
    ...rest,
    policy: { name: policy, params: Object.fromEntries(given.filter(([, value]) => value !== undefined)) },
    budget: numbers(more, LIMITS),
    sampling: {
      ...(draw as object | undefined),
      ...numbers(more, SAMPLING),
      ...(more.thinking ? { thinking: more.thinking } : {}),
    },
    ...numbers(more, [
      ["seed", ""],
      ["priority", ""],
    ]),
    ...(more.model?.trim() ? { model: more.model.trim() } : {}),
    ...(form.metadata.trim() ? { metadata: JSON.parse(form.metadata) as unknown } : {}),
    approvals: form.approvals,
  };
}

/** The question, in the place where the earlier job had it: alone, at the end of a conversation, or as a raw prompt. */
function asked(question: string, messages: unknown, prompt: unknown): Record<string, unknown> {
  if (prompt !== undefined) return { prompt: question };
  if (!Array.isArray(messages)) return { question };
  const last = messages.findLastIndex((message: { role?: string }) => message.role === "user");
  return {
    messages: messages.map((message: { role: string; content: string }, i) => ({
      ...message,
      content: i === last ? question : message.content,
    })),
  };
}

/** Numbers that were typed, by name; what is empty is left out, and what is no number is sent for the refusal. */
function numbers(typedIn: Typed, names: readonly (readonly [string, string])[]): Record<string, unknown> {
  return Object.fromEntries(
    names.flatMap(([name]) => {
      const text = typedIn[name]?.trim() ?? "";
      return text === "" ? [] : [[name, Number.isNaN(Number(text)) ? text : Number(text)]];
    }),
  );
}
