import { describe, expect, it } from "vitest";
import { criticalPath } from "../../src/model/analysis/criticalPath";
import { type FoldWishes, visibleGraph } from "../../src/model/layout/fold";
import { forkJoin, Story } from "../story";

const wide = (n: number) =>
  forkJoin(Object.fromEntries(Array.from({ length: n }, (_, i) => [`0.${i + 1}`, 100 + i])));
const shown = (story: Story, wishes: Partial<FoldWishes> = {}) => {
  const graph = story.graph;
  return visibleGraph(graph, { critical: new Set(criticalPath(graph).nodes), opened: new Set(), ...wishes });
};

describe("folding wide forks", () => {
  it("leaves a fork of five as it is", () => {
    expect(shown(wide(5)).nodes.filter((node) => node.kind === "stack")).toEqual([]);
  });

  it("keeps the critical and the slowest branches of a thousand, and stacks the rest", () => {
    const { nodes, home } = shown(wide(1000));
    const stack = nodes.find((node) => node.kind === "stack")!;
    expect(stack.branches).toHaveLength(997);
    expect(nodes.map((node) => node.id)).toEqual([
      "start",
      "0.998/1",
      "0.999/1",
      "0.1000/1",
      "0/j1",
      "answer",
      stack.id,
    ]);
    expect(home.get("0.17/1")).toBe(stack.id);
  });

  it("keeps a failed branch although it was short", () => {
    const story = new Story();
    const branches = Array.from({ length: 8 }, (_, i) => `0.${i + 1}`);
    for (const branch of branches) story.fork(branch);
    story.start(branches).at(0.5).write("BranchFailed", "0.4", { cause: "refused" });
    for (const branch of branches.filter((one) => one !== "0.4"))
      story.at(1).finish(branch, 100).returned(branch);
    expect(shown(story).nodes.map((node) => node.branch)).toContain("0.4");
  });

  it("opens one fork, or all", () => {
    const story = wide(40);
    const stack = shown(story).nodes.find((node) => node.kind === "stack")!;
    expect(shown(story, { opened: new Set([stack.group]) }).nodes).toHaveLength(43);
    expect(shown(story, { opened: "all" }).nodes).toHaveLength(43);
  });

  it("keeps a selected branch in view", () => {
    expect(shown(wide(40), { pinned: ["0.3"] }).nodes.map((node) => node.id)).toContain("0.3/1");
  });

  it("draws one edge between a stack and its neighbours, and none inside it", () => {
    const { edges } = shown(wide(1000));
    expect(edges.filter((edge) => edge.source.startsWith("stack:"))).toHaveLength(1);
    expect(edges.filter((edge) => edge.target.startsWith("stack:"))).toHaveLength(1);
  });

  it("folds two forks of one parent apart when a join lies between them", () => {
    const story = new Story();
    const first = Array.from({ length: 8 }, (_, i) => `0.${i + 1}`);
    const second = Array.from({ length: 8 }, (_, i) => `0.${i + 9}`);
    for (const [ordinal, branches] of [first, second].entries()) {
      for (const branch of branches) story.fork(branch);
      story.start(branches).join(ordinal + 1, branches);
      for (const branch of branches)
        story
          .at(ordinal + 1)
          .finish(branch, 50)
          .returned(branch);
      story.joined(ordinal + 1, branches);
    }
    expect(
      shown(story)
        .nodes.filter((node) => node.kind === "stack")
        .map((node) => node.branches.length),
    ).toEqual([5, 5]);
  });

  it("shows joins that follow one another as one", () => {
    const story = new Story();
    const branches = ["0.1", "0.2", "0.3"];
    for (const branch of branches) story.fork(branch);
    story.start(branches);
    branches.forEach((branch, i) => {
      story
        .join(i + 1, branches.slice(i))
        .at(i + 1)
        .finish(branch, 50)
        .returned(branch)
        .joined(i + 1, [branch]);
    });
    const joins = shown(story.answered()).nodes.filter((node) => node.kind === "join");
    expect(joins.map((node) => node.nodes)).toEqual([["0/j1", "0/j2", "0/j3"]]);
  });

  it("shows that a person is waited for, until the decision", () => {
    const story = new Story().start(["0"]).at(1).finish("0", 9);
    story.write("ApprovalRequested", "0", { approval: 1, gate: "fork", subject: "Fork?" });
    expect(shown(story).edges).toContainEqual({
      source: "0/1",
      target: "approval/1",
      kind: "next",
      pending: true,
    });
    story.write("ApprovalDecided", "0", { approval: 1, decision: "approve" });
    expect(shown(story).nodes.map((node) => node.kind)).not.toContain("gate");
  });

  it("shows a branch that has not begun, and what it waits for", () => {
    const story = new Story("plan")
      .fork("0.1")
      .fork("0.2", { after: ["0.1"] })
      .start(["0.1"]);
    const { nodes, edges } = shown(story);
    expect(nodes.find((node) => node.id === "0.2/1")?.kind).toBe("pending");
    expect(edges).toContainEqual({ source: "0.1/1", target: "0.2/1", kind: "depends", pending: true });
  });
});
