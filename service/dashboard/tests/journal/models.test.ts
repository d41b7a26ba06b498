import { describe, expect, it } from "vitest";
import { modelOf, severalModels } from "../../src/model/journal/graph";
import { Story } from "../story";

describe("which model spoke", () => {
  const story = new Story().fork("0.1").fork("0.2");
  story.write("SegmentStarted", "0.1", { segment: 1, model: "small" });

  it("is the one that a segment was asked of, until the engine tells who answered", () => {
    const before = story.graph;
    expect(before.nodes.get("0.1/1")?.model).toBe("small");
    expect(severalModels(before)).toBe(false);
    story.write("SegmentFinished", "0.1", {
      segment: 1,
      attempt: 1,
      decoded: { text: "21", finish: "eos", served: { model: "qwen2.5-0.5b" } },
    });
    const graph = story.graph;
    expect(modelOf(graph, graph.branches.get("0.1")!)).toBe("qwen2.5-0.5b");
  });

  it("is told of each segment where several models did", () => {
    story.write("SegmentStarted", "0.2", { segment: 1, model: "big" });
    expect(severalModels(story.graph)).toBe(true);
  });
});
