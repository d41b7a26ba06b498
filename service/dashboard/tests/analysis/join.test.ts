import { describe, expect, it } from "vitest";
import { contributions } from "../../src/model/analysis/join";
import { Story } from "../story";

const LONG = "The sum of both sides grows with the square of the width. ".repeat(10);

const joined = (after: (story: Story) => Story): [string, number, boolean][] => {
  const story = new Story().fork("0.1").fork("0.2").fork("0.3").start(["0.1", "0.2", "0.3"]);
  story.write("JoinRequested", "0", { join: 1, targets: ["0.1", "0.2", "0.3"], mode: "first-k", count: 2 });
  story
    .at(1)
    .finish("0.1", 9)
    .returned("0.1", LONG)
    .finish("0.2", 9)
    .returned("0.2", "short")
    .joined(1, ["0.1", "0.2"]);
  const { graph } = after(story);
  return contributions(graph, graph.nodes.get("0/j1")!).map(({ branch, cut, late }) => [
    branch.id,
    cut,
    late,
  ]);
};

describe("what a join was given", () => {
  it("is every joined branch in order, then those that came too late", () => {
    expect(joined((story) => story)).toEqual([
      ["0.1", 0, false],
      ["0.2", 0, false],
      ["0.3", 0, true],
    ]);
  });

  it("tells what was cut by a limit on a branch's output", () => {
    const messages = [
      {
        role: "user" as const,
        parts: [
          { branch: "0.1", limit: 100 },
          { branch: "0.2", limit: 100 },
        ],
      },
    ];
    const found = joined((story) => story.write("SegmentStarted", "0", { segment: 1, messages }));
    expect(found.map(([, cut]) => cut)).toEqual([LONG.length - 100, 0, 0]);
  });

  it("tells what was cut from text that the runtime inserted", () => {
    const inserted = `<result>${LONG.slice(0, 50)}\n[… ${LONG.length - 100} characters cut …]\n${LONG.slice(-50)}</result>short`;
    const found = joined((story) => story.write("SegmentStarted", "0", { segment: 1, inserted }));
    expect(found.map(([, cut]) => cut)).toEqual([LONG.length - 100, 0, 0]);
  });
});
