import { describe, expect, it } from "vitest";
import { measure } from "../../src/model/analysis/metrics";
import { forkJoin, Story } from "../story";

describe("metrics", () => {
  it("are T, L and P = L / T", () => {
    expect(measure(forkJoin({ "0.1": 100, "0.2": 300, "0.3": 200 }).graph)).toMatchObject({
      critical_path_tokens: 300,
      total_tokens: 600,
      parallelism: 2,
      waste_tokens: 0,
      wall_seconds: 3,
      branches: 4,
    });
  });

  it("count as waste what no answer depends on, and pruned branches", () => {
    const story = new Story()
      .fork("0.1")
      .fork("0.2")
      .fork("0.3")
      .start(["0.1", "0.2", "0.3"])
      .join(1, ["0.1", "0.2"]);
    story
      .at(1)
      .finish("0.1", 100)
      .returned("0.1")
      .finish("0.2", 70)
      .returned("0.2")
      .joined(1, ["0.1", "0.2"]);
    story.write("BranchesPruned", "0", { pruned: ["0.2"], rule: "best of 1" });
    story.write("BranchCancelled", "0.3", { reason: "answered" }).at(2).finish("0.3", 55).answered();
    expect(measure(story.graph).waste_tokens).toBe(125);
  });

  it("count no waste before there is an answer, and no failed attempt into T", () => {
    const story = new Story().fork("0.1").start(["0.1"]).at(1);
    const decoded = { text: "", finish: "error" as const, usage: { completion_tokens: 50 } };
    story.write("SegmentFinished", "0.1", { segment: 1, attempt: 1, decoded });
    expect(measure(story.graph)).toMatchObject({ total_tokens: 50, waste_tokens: 0 });
    story.write("BranchRetried", "0.1", { attempt: 2, cause: "replica-died" }).start(["0.1"], 2);
    story
      .at(2)
      .finish("0.1", 30, { segment: 2 })
      .returned("0.1")
      .join(1, ["0.1"])
      .joined(1, ["0.1"])
      .answered();
    expect(measure(story.graph)).toMatchObject({
      critical_path_tokens: 30,
      total_tokens: 80,
      waste_tokens: 50,
    });
  });

  it.each([
    [["usage_estimated", ""], "about "],
    [["usage_at_least", "usage_estimated"], "at least "],
    [["usage_estimated", "usage_at_least", ""], "at least "],
    [["", ""], ""],
  ])("know all tokens as the least exact decode does: %j", (marks, counted) => {
    const branches = marks.map((_, number) => `0.${number + 1}`);
    const story = branches
      .reduce((told, branch) => told.fork(branch), new Story())
      .start(branches)
      .at(1);
    marks.forEach((mark, number) => {
      const decoded = { text: "So", finish: "eos" as const, usage: { completion_tokens: 9 }, [mark]: true };
      story.write("SegmentFinished", `0.${number + 1}`, { segment: 1, attempt: 1, decoded });
    });
    expect(measure(story.graph).counted).toBe(counted);
  });
});
