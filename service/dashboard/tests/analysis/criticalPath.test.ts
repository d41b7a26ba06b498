import { describe, expect, it } from "vitest";
import { criticalPath, topologicalOrder, waitedFor } from "../../src/model/analysis/criticalPath";
import { forkJoin, Story } from "../story";

describe("the critical path", () => {
  it("is the longest chain of decoded tokens to the answer", () => {
    const path = criticalPath(forkJoin({ "0.1": 100, "0.2": 300, "0.3": 200 }).graph);
    expect(path.weight).toBe(300);
    expect(path.nodes).toEqual(["start", "0.2/1", "0/j1", "answer"]);
  });

  it("leaves out a branch that was never joined, however long", () => {
    const story = new Story().fork("0.1").fork("0.2").start(["0.1", "0.2"]).join(1, ["0.1"]);
    story.at(1).finish("0.1", 100).returned("0.1").joined(1, ["0.1"]).at(9).finish("0.2", 900);
    story.write("BranchCancelled", "0.2", { reason: "answered" }).answered();
    expect(criticalPath(story.graph).weight).toBe(100);
  });

  it("is the longest chain so far while there is no answer", () => {
    const story = new Story()
      .start(["0"])
      .at(1)
      .finish("0", 50)
      .fork("0.1")
      .start(["0.1"])
      .at(2)
      .finish("0.1", 70);
    expect(criticalPath(story.graph).nodes).toEqual(["start", "0/1", "0.1/1"]);
  });

  it("in seconds goes back through what ended last", () => {
    const story = new Story().fork("0.1").fork("0.2").start(["0.1", "0.2"]).join(1, ["0.1", "0.2"]);
    story.at(2).finish("0.1", 500).returned("0.1").at(7).finish("0.2", 100, { scheduled: 6 }).returned("0.2");
    story.joined(1, ["0.1", "0.2"]).answered();
    expect(waitedFor(story.graph)).toEqual(["start", "0.2/1", "0/j1", "answer"]);
    expect(criticalPath(story.graph).nodes).toContain("0.1/1");
  });

  it("walks chains of 20,000 nodes without recursion", () => {
    const ids = Array.from({ length: 20_000 }, (_, i) => `${i}`);
    const chain = ids.slice(1).map((id, i) => ({ source: `${i}`, target: id, kind: "next" as const }));
    expect(topologicalOrder([...ids].reverse(), chain)).toEqual(ids);
  });
});
