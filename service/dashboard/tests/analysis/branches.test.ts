import { expect, it } from "vitest";
import { branchRows } from "../../src/model/analysis/branches";
import { Story } from "../story";

const story = new Story().fork("0.1").fork("0.2").fork("0.10").start(["0.1", "0.2"]).join(1, ["0.1", "0.2"]);
story
  .at(1)
  .finish("0.1", 100)
  .returned("0.1")
  .at(3)
  .finish("0.2", 300)
  .returned("0.2")
  .joined(1, ["0.1", "0.2"]);
story.write("BranchesVoted", "0", {
  classes: [{ answer: "21", branches: ["0.2"], weight: 1 }],
  winner: "21",
});
story.write("BranchCancelled", "0.10", { reason: "the vote is decided" });

it("tells of each branch what it took and what came of it, by its path", () => {
  const rows = branchRows(story.answered("21", ["0.2"]).graph, "branch");
  expect(rows.map(({ branch, tokens, fate }) => [branch.id, tokens, fate])).toEqual([
    ["0", 0, ""],
    ["0.1", 100, "joined"],
    ["0.2", 300, "voted for 21"],
    ["0.10", 0, "the vote is decided"],
  ]);
});

it("sorts by tokens with those that are not in the journal yet", () => {
  const rows = branchRows(story.graph, "tokens", (branch) => (branch === "0.1" ? 900 : 0));
  expect(rows.slice(0, 2).map(({ branch, tokens }) => [branch.id, tokens])).toEqual([
    ["0.1", 1000],
    ["0.2", 300],
  ]);
});
