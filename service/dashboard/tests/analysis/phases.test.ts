import { describe, expect, it } from "vitest";
import { durations, phaseAt, spansOf } from "../../src/model/analysis/phases";
import { EPOCH, Story } from "../story";

const node = (story: Story, id: string) => story.graph.nodes.get(id)!;
const relative = (story: Story, id: string, now = 100) =>
  spansOf(node(story, id), EPOCH + now).map(({ phase, from, to }) => [
    phase,
    +(from - EPOCH).toFixed(3),
    +(to - EPOCH).toFixed(3),
  ]);

describe("where a node's time went", () => {
  it("is queue, prefill and decode, from its fork to its end", () => {
    const story = new Story()
      .fork("0.1")
      .at(1)
      .start(["0.1"])
      .at(5)
      .finish("0.1", 90, { asked: 1, scheduled: 3 });
    expect(relative(story, "0.1/1")).toEqual([
      ["queue", 0, 3],
      ["prefill", 3, 3.1],
      ["decode", 3.1, 5],
    ]);
    expect(durations(node(story, "0.1/1"), EPOCH + 5).queue).toBeCloseTo(3);
  });

  it("does not blame the queue for what a branch waited for by plan", () => {
    const story = new Story("plan")
      .fork("0.1")
      .fork("0.2", { after: ["0.1"] })
      .start(["0.1"]);
    story
      .at(4)
      .finish("0.1", 9)
      .returned("0.1")
      .start(["0.2"])
      .at(6)
      .finish("0.2", 9, { asked: 4, scheduled: 4 });
    expect(relative(story, "0.2/1")[0]).toEqual(["prefill", 4, 4.1]);
  });

  it("is blocked from the request of a join to its satisfaction", () => {
    const story = new Story()
      .fork("0.1")
      .start(["0.1"])
      .at(1)
      .join(1, ["0.1"])
      .at(3)
      .finish("0.1", 9)
      .returned("0.1");
    expect(relative(story, "0/j1", 2)).toEqual([["blocked", 1, 2]]);
    expect(relative(story.joined(1, ["0.1"]), "0/j1")).toEqual([["blocked", 1, 3]]);
  });

  it("tells for every moment of a stored job what a node was doing", () => {
    const story = new Story()
      .fork("0.1")
      .at(1)
      .start(["0.1"])
      .at(5)
      .finish("0.1", 90, { asked: 1, scheduled: 3 });
    const doing = [-1, 2, 3.05, 4, 6].map((moment) => phaseAt(node(story, "0.1/1"), EPOCH + moment));
    expect(doing).toEqual([null, "queue", "prefill", "decode", "done"]);
  });
});
