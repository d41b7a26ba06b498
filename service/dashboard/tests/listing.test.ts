import { describe, expect, it } from "vitest";
import type { Job } from "../src/data/types";
import {
  changed,
  filterOf,
  fits,
  isFiltered,
  type JobFilter,
  merged,
  sortOf,
  soughtBy,
} from "../src/model/listing";

const NO_FILTER: JobFilter = filterOf(new URLSearchParams());
const job = (id: string, more: Partial<Job> = {}): Job =>
  ({
    id,
    status: "running",
    question: "How many?",
    policy: { name: "plan", params: { n: 4 } },
    metadata: { team: "search", run: 7 },
    seed: 7,
    budget: { tokens: null },
    usage: { cost: 0 },
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

describe("a filter", () => {
  const filter = filterOf(
    new URLSearchParams("said=MANY&metadata=team%3Dsearch&metadata=run%3D7&param=n%3D4&seed=7"),
  );

  it("is read from the address, and judges what is heard of", () => {
    expect(isFiltered(filter)).toBe(true);
    expect(fits(job("1"), filter)).toBe(true);
    expect(fits(job("1", { metadata: { team: "ads", run: 7 } }), filter)).toBe(false);
    expect(fits(job("1", { seed: 8 }), filter)).toBe(false);
    expect(fits(job("1"), filterOf(new URLSearchParams("budget=tokens%3D5")))).toBe(false);
    const numbers = { ...job("1"), budget: { tokens: 2000, cost: 0.5 } } as Job;
    expect(fits(numbers, filterOf(new URLSearchParams("budget=cost%3D0.50&budget=tokens%3D2e3")))).toBe(true);
    expect(fits(numbers, filterOf(new URLSearchParams("budget=cost%3D0.51")))).toBe(false);
    expect(fits(numbers, filterOf(new URLSearchParams("budget=seconds%3Dundefined")))).toBe(false);
  });

  it("keeps what the service found in places that are not told here", () => {
    const found = filterOf(new URLSearchParams("said=in+a+branch"));
    expect(merged([job("1")], job("1", { status: "succeeded" }), found)).toHaveLength(1);
    expect(merged([job("1")], job("2"), found)).toHaveLength(1);
  });
});

describe("an order", () => {
  it("is one that the service knows", () => {
    expect(sortOf(new URLSearchParams("sort=cost"))).toBe("cost");
    expect(sortOf(new URLSearchParams("sort=policy"))).toBe("");
    expect(sortOf(new URLSearchParams("sort=no+such"))).toBe("");
  });

  it("leaves news in their place, and takes in no job whose place is not known", () => {
    const list = [job("2"), job("3")];
    expect(changed(list, job("3", { status: "failed" })).map(({ status }) => status)).toEqual([
      "running",
      "failed",
    ]);
    expect(changed(list, job("4"))).toHaveLength(2);
  });

  it("goes with a moment from which on jobs are meant", () => {
    const lastMinute = soughtBy({ ...NO_FILTER, within: 60 }, Date.parse("2026-03-14T09:01:00Z"));
    expect(lastMinute.since).toBe("2026-03-14T09:00:00.000Z");
    expect(soughtBy(NO_FILTER)).not.toHaveProperty("since");
  });
});
