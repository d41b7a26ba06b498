import { describe, expect, it } from "vitest";
import { fits, type JobFilter, merged } from "../src/data/jobs";
import type { Job } from "../src/data/types";

const NO_FILTER: JobFilter = { status: "", policy: "", q: "", within: 0 };
const job = (id: string, more: Partial<Job> = {}): Job =>
  ({
    id,
    status: "running",
    question: "How many?",
    policy: { name: "plan" },
    created_at: `2026-03-14T09:00:0${id}Z`,
    ...more,
  }) as Job;

describe("the list of jobs, kept current", () => {
  it("puts a new job first and changes a known one where it stands", () => {
    const list = [job("2"), job("1")];
    expect(merged(list, job("3"), NO_FILTER).map(({ id }) => id)).toEqual(["3", "2", "1"]);
    expect(merged(list, job("1", { status: "succeeded" }), NO_FILTER)[1]!.status).toBe("succeeded");
  });

  it("leaves out a new job that does not fit, and lets one go that no longer does", () => {
    const running: JobFilter = { ...NO_FILTER, status: "running" };
    expect(merged([job("1")], job("2", { status: "failed" }), running)).toHaveLength(1);
    expect(merged([job("1")], job("1", { status: "succeeded" }), running)).toHaveLength(0);
  });

  it("does not show news of a job that belongs on an older page", () => {
    expect(merged([job("3"), job("2")], job("1"), NO_FILTER).map(({ id }) => id)).toEqual(["3", "2"]);
  });

  it("filters by text, policy and time", () => {
    expect(fits(job("1"), { ...NO_FILTER, q: "MANY" })).toBe(true);
    expect(fits(job("1"), { ...NO_FILTER, policy: "sequential" })).toBe(false);
    expect(fits(job("1"), { ...NO_FILTER, within: 60 })).toBe(false);
  });
});
