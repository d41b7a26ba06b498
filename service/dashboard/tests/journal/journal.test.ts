import { describe, expect, it } from "vitest";
import { transcriptOf } from "../../src/model/analysis/transcript";
import { emptyGraph } from "../../src/model/journal/graph";
import { fold, graphOf } from "../../src/model/journal/journal";
import { forkJoin, Story } from "../story";

const edges = (story: Story) =>
  story.graph.edges.map(({ source, target, kind }) => `${source} ${kind} ${target}`);

describe("a journal folded into a graph", () => {
  it("has a node per segment and points for start, join and answer", () => {
    const graph = forkJoin({ "0.1": 100, "0.2": 300 }).graph;
    expect([...graph.nodes.keys()]).toEqual(["start", "0.1/1", "0.2/1", "0/j1", "answer"]);
    expect(graph.status).toBe("succeeded");
    expect(graph.answer).toEqual({
      text: "21",
      calls: [],
      sources: ["0.1", "0.2"],
      forced: false,
      truncated: false,
      citations: [],
    });
  });

  it("forks from the start, joins the last nodes, goes on to the answer", () => {
    expect(edges(forkJoin({ "0.1": 100, "0.2": 300 }))).toEqual([
      "start fork 0.1/1",
      "start fork 0.2/1",
      "start next 0/j1",
      "0.1/1 join 0/j1",
      "0.2/1 join 0/j1",
      "0/j1 next answer",
    ]);
  });

  it("starts a fork edge at the parent's last finished node, not at the one still decoding", () => {
    const story = new Story("async-think").start(["0"]).at(1).finish("0", 40);
    story.write("SegmentStarted", "0", { segment: 2, continues: true }).fork("0.1").start(["0.1"]);
    expect(edges(story)).toContain("0/1 fork 0.1/1");
  });

  it("draws what a branch waited for", () => {
    const story = new Story("plan")
      .fork("0.1")
      .fork("0.2", { after: ["0.1"] })
      .start(["0.1"])
      .at(1)
      .finish("0.1", 10);
    story.returned("0.1").start(["0.2"]);
    expect(edges(story)).toContain("0.1/1 depends 0.2/1");
  });

  it("keeps thoughts and calls beside the text", () => {
    const story = new Story().fork("0.1").start(["0.1"]).at(1);
    const call = { name: "lookup", arguments: '{"of": 6}', id: "c1" };
    story.write("SegmentFinished", "0.1", {
      segment: 1,
      attempt: 1,
      decoded: {
        text: "So 21.",
        thought: "Seven threes.",
        calls: [call],
        finish: "eos",
        usage: { completion_tokens: 9, reasoning_tokens: 5 },
      },
    });
    const node = story.graph.nodes.get("0.1/1");
    expect(node).toMatchObject({ text: "So 21.", thought: "Seven threes.", thoughtTokens: 5, calls: [call] });
    expect(transcriptOf(story.events, story.graph).at(-1)).toMatchObject({
      title: "decoded 9 tokens in 1.0 s",
      thought: "Seven threes.",
      thoughtTokens: 5,
    });
  });

  it.each([
    ["usage_at_least", "decoded at least 9 tokens in 1.0 s"],
    ["usage_estimated", "decoded about 9 tokens in 1.0 s"],
  ])("says of tokens that nobody counted to the end that they are %s", (mark, title) => {
    const story = new Story().fork("0.1").start(["0.1"]).at(1);
    const decoded = { text: "So", finish: "eos" as const, usage: { completion_tokens: 9 }, [mark]: true };
    story.write("SegmentFinished", "0.1", { segment: 1, attempt: 1, decoded });
    expect(transcriptOf(story.events, story.graph).at(-1)?.title).toBe(title);
  });

  it("keeps each attempt of a retried branch as a node of its own", () => {
    const story = new Story().fork("0.1").start(["0.1"]).at(1);
    story.write("SegmentFinished", "0.1", {
      segment: 1,
      attempt: 1,
      decoded: {
        text: "So",
        finish: "error",
        fault: { cause: "replica-died" },
        usage: { completion_tokens: 7 },
      },
    });
    story.write("BranchRetried", "0.1", { attempt: 2, cause: "replica-died" });
    story.write("SegmentStarted", "0.1", { segment: 2, attempt: 2 });
    const graph = story.graph;
    expect(graph.nodes.get("0.1/1")?.status).toBe("failed");
    expect(graph.nodes.get("0.1/2")?.attempt).toBe(2);
    expect(graph.branches.get("0.1")?.attempts).toBe(2);
  });

  it("waits while an approval is open, and runs on when it is decided", () => {
    const story = new Story().write("ApprovalRequested", "0", {
      approval: 1,
      gate: "fork",
      subject: "Fork?",
    });
    expect(story.graph.status).toBe("waiting");
    story.at(60).write("ApprovalDecided", "0", { approval: 1, decision: "approve", by: "ada" });
    expect(story.graph.status).toBe("running");
    expect(story.graph.approvals[0]).toMatchObject({ decision: "approve", by: "ada" });
  });

  it("waits for nobody's word on a branch that was cancelled", () => {
    const story = new Story()
      .write("BranchForked", "0", { child: "0.1", role: "worker" })
      .write("ApprovalRequested", "0.1", { approval: 1, gate: "fork", subject: "Fork?" });
    expect(story.graph.branches.get("0.1")!.status).toBe("waiting");
    story.at(60).write("BranchCancelled", "0.1", { reason: "pruned", withdrawn: [1] });
    expect(story.graph.status).toBe("running");
    expect(story.graph.approvals[0]!.to).not.toBeNull();
  });

  it("gives the same graph event by event as in one go, and skips what it has", () => {
    const { events } = forkJoin({ "0.1": 100, "0.2": 300, "0.3": 200 });
    const graph = emptyGraph("job");
    for (let i = 0; i < events.length; i++) fold(graph, events.slice(0, i + 1));
    expect(graph).toEqual(graphOf(events));
  });

  it("passes over kinds that it does not know", () => {
    const story = forkJoin({ "0.1": 100 });
    const stranger = {
      ...story.events.at(-1)!,
      seq: story.events.length + 1,
      kind: "SomethingNew",
      payload: {},
    };
    expect(fold(story.graph, [stranger as never]).seq).toBe(stranger.seq);
  });
});
