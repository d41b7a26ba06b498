import { describe, expect, it } from "vitest";
import { pairs, parting } from "../../src/model/analysis/compare";
import { forkJoin, Story } from "../story";

describe("two jobs compared", () => {
  it("match branches by their path, whatever their order in time", () => {
    const a = forkJoin({ "0.1": 100, "0.2": 300, "0.10": 50 }).graph;
    const b = forkJoin({ "0.1": 400, "0.2": 200 }).graph;
    expect(pairs(a, b).map(({ path, delta }) => [path, delta])).toEqual([
      ["0", 0],
      ["0.1", 300],
      ["0.2", -100],
      ["0.10", -50],
    ]);
  });

  it("part at the first branch that wrote something else", () => {
    const a = forkJoin({ "0.1": 100, "0.2": 300 }).graph;
    const b = forkJoin({ "0.1": 100, "0.2": 300, "0.3": 9 }).graph;
    expect(parting(pairs(a, b))?.path).toBe("0.3");
    expect(parting(pairs(a, a))).toBeUndefined();
  });

  it("set a branch beside nothing where the other job has none", () => {
    const [, only] = pairs(forkJoin({ "0.1": 10 }).graph, new Story().graph);
    expect(only).toMatchObject({ path: "0.1", b: null, same: false });
  });
});
