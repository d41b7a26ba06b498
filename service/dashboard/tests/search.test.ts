import { describe, expect, it } from "vitest";
import { nextHit, search } from "../src/model/search";
import { forkJoin } from "./story";

const graph = forkJoin({ "0.1": 100, "0.2": 300, "0.10": 50 }).graph;
const rows = [...graph.nodes.values()];

describe("search inside a job", () => {
  it("finds texts, labels and values whatever their case, in the order of the rows", () => {
    expect(search(graph, rows, "TEXT OF 0.1")).toEqual(["0.1/1", "0.10/1"]);
    expect(search(graph, rows, "sample 0.2")).toEqual(["0.2/1"]);
    expect(search(graph, rows, "21")).toEqual(["0.1/1", "0.2/1", "0.10/1", "answer"]);
  });

  it("finds nothing for nothing", () => {
    expect(search(graph, rows, "  ")).toEqual([]);
  });

  it("steps through the hits and round at the ends", () => {
    expect(nextHit(["a", "b"], null, 1)).toBe("a");
    expect(nextHit(["a", "b"], "b", 1)).toBe("a");
    expect(nextHit(["a", "b"], "a", -1)).toBe("b");
    expect(nextHit([], "a", 1)).toBeNull();
  });
});
