import { describe, expect, it } from "vitest";
import { visibleGraph } from "../../src/model/layout/fold";
import { type Layout, layoutOf, NODE } from "../../src/model/layout/layout";
import { forkJoin, Story } from "../story";

const laidOut = (story: Story): Layout =>
  layoutOf(visibleGraph(story.graph, { critical: new Set(), opened: "all" }));

const overlapping = ({ boxes }: Layout): string[] => {
  const all = [...boxes];
  return all.flatMap(([a, one], i) =>
    all
      .slice(i + 1)
      .filter(
        ([, two]) => one.column === two.column && Math.abs(one.y - two.y) < (one.height + two.height) / 2,
      )
      .map(([b]) => `${a} ${b}`),
  );
};

describe("the layout", () => {
  it("runs left to right, the trunk straight, its branches on both sides", () => {
    const { boxes } = laidOut(forkJoin({ "0.1": 10, "0.2": 20, "0.3": 30, "0.4": 40 }));
    const y = (id: string) => boxes.get(id)!.y / NODE.pitch;
    expect(["start", "0/j1", "answer"].map(y)).toEqual([0, 0, 0]);
    expect(["0.1/1", "0.2/1", "0.3/1", "0.4/1"].map(y)).toEqual([-2, -1, 1, 2]);
    expect(boxes.get("start")!.x).toBeLessThan(boxes.get("0.1/1")!.x);
    expect(boxes.get("0.1/1")!.x).toBeLessThan(boxes.get("0/j1")!.x);
  });

  it("gives no two nodes the same place, nested forks and crossing joins included", () => {
    const story = new Story();
    story.fork("0.1").fork("0.2").start(["0.1", "0.2"]).at(1).finish("0.1", 10);
    for (let i = 1; i <= 7; i++) story.fork(`0.1.${i}`).start([`0.1.${i}`]);
    story.write("JoinRequested", "0.1", { join: 1, targets: ["0.1.1", "0.1.2"], mode: "all" });
    story.at(2).finish("0.2", 10).returned("0.2").join(1, ["0.2"]).joined(1, ["0.2"]);
    story.fork("0.3").start(["0.3"]).at(3).finish("0.3", 10);
    expect(overlapping(laidOut(story))).toEqual([]);
  });

  it("lets a later round of branches use the rows of an earlier one", () => {
    const story = new Story();
    for (const [round, branches] of [
      ["0.1", "0.2"],
      ["0.3", "0.4"],
    ].entries()) {
      for (const branch of branches) story.fork(branch);
      story.start(branches).join(round + 1, branches);
      for (const branch of branches)
        story
          .at(round + 1)
          .finish(branch, 10)
          .returned(branch);
      story.joined(round + 1, branches);
    }
    const { boxes } = laidOut(story);
    expect(boxes.get("0.3/1")!.y).toBe(boxes.get("0.1/1")!.y);
  });

  it("turns an edge only beside a column, never across a node", () => {
    const story = new Story("async-think")
      .fork("0.1")
      .start(["0.1", "0"])
      .at(1)
      .finish("0.1", 9)
      .returned("0.1");
    story
      .finish("0", 5)
      .start(["0"], 2)
      .at(2)
      .finish("0", 5, { segment: 2 })
      .join(1, ["0.1"])
      .joined(1, ["0.1"])
      .answered();
    const layout = laidOut(story);
    for (const route of layout.routes) {
      for (const box of layout.boxes.values()) {
        const crosses =
          box.x + box.width / 2 > route.bend + 0.5 && box.x - box.width / 2 < route.bendEnd - 0.5;
        expect(crosses && route.y1 !== route.y2).toBe(false);
      }
    }
  });

  it("lays out 1,000 branches of one fork in 1,000 rows", () => {
    const tokens = Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`0.${i + 1}`, i + 1]));
    const layout = laidOut(forkJoin(tokens));
    expect(new Set([...layout.boxes.values()].map((box) => box.y)).size).toBe(1001);
    expect(layout.bottom - layout.top).toBe(1000 * NODE.pitch + NODE.height);
  });
});
