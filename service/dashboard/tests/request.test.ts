import { expect, it } from "vitest";
import type { Job } from "../src/data/types";
import { fieldsOf } from "../src/model/params";
import { bodyOf, EMPTY, formOf } from "../src/model/request";

const fields = fieldsOf({ properties: { n: { type: "integer", default: 8 }, quorum: { type: "number" } } });
const job = {
  question: "And now?",
  messages: [
    { role: "user", content: "First?" },
    { role: "assistant", content: "Yes." },
    { role: "user", content: "And now?" },
  ],
  prompt: null,
  policy: { name: "self-consistency", params: { n: 4, quorum: 0.5 } },
  budget: { tokens: 2000, seconds: null, branch_seconds: null, branches: null, depth: null, cost: 0.5 },
  priority: 3,
  seed: 7,
  model: "big",
  sampling: {
    temperature: 0.7,
    top_p: null,
    top_k: 20,
    min_p: null,
    presence_penalty: null,
    frequency_penalty: null,
    repetition_penalty: null,
    max_tokens: 512,
    thinking: "off",
    thinking_tokens: null,
  },
  answer_format: {
    json_schema: null,
    regex: "[0-9]+",
    choice: null,
    stop: [],
    max_tokens: null,
    logprobs: null,
  },
  tools: null,
  approvals: ["answer"],
  metadata: { team: "search", deep: [1] },
} as unknown as Job;

it("asks for the same job again, whole", () => {
  expect(bodyOf(formOf(job), "self-consistency", fields)).toEqual({
    messages: job.messages,
    policy: { name: "self-consistency", params: { n: 4, quorum: 0.5 } },
    budget: { tokens: 2000, cost: 0.5 },
    priority: 3,
    seed: 7,
    model: "big",
    sampling: { temperature: 0.7, top_k: 20, max_tokens: 512, thinking: "off" },
    answer_format: { regex: "[0-9]+", stop: [] },
    approvals: ["answer"],
    metadata: { team: "search", deep: [1] },
  });
});

it("puts an edited question where the old one stood", () => {
  const body = bodyOf({ ...formOf(job), question: "Why?" }, "sequential", []);
  expect(body.messages).toEqual([...job.messages.slice(0, 2), { role: "user", content: "Why?" }]);
  const raw = { ...job, messages: [], prompt: "Once" } as unknown as Job;
  expect(bodyOf({ ...formOf(raw), question: "Twice" }, "sequential", [])).toMatchObject({ prompt: "Twice" });
});

it("leaves out what is empty, and refuses metadata that is no JSON", () => {
  expect(bodyOf({ ...EMPTY, question: "Q" }, "sequential", [])).toEqual({
    question: "Q",
    policy: { name: "sequential", params: {} },
    budget: {},
    sampling: {},
    approvals: [],
  });
  expect(() => bodyOf({ ...EMPTY, metadata: "{team" }, "sequential", [])).toThrow(SyntaxError);
});
