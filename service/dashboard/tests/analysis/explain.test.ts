import { describe, expect, it } from "vitest";
import type { Measure } from "../../src/model/analysis/criticalPath";
import { explain } from "../../src/model/analysis/explain";
import { plain } from "../../src/model/analysis/sentence";
import { isNarrow } from "../../src/model/analysis/troubles";
import { forkJoin, Story } from "../story";

const told = (story: Story, measure: Measure = "seconds") => explain(story.graph, measure).map(plain);

describe("a slow job explained", () => {
  it("names a planted straggler, its share of the critical path and its siblings' median", () => {
    const story = forkJoin({ "0.1": 300, "0.2": 290, "0.3": 912, "0.4": 310 });
    expect(told(story)[0]).toBe(
      "Branch 0.3 made this job slow: 9.1 s of the 9.1 s of work on the critical path are its, 3.0× its siblings’ median.",
    );
    expect(told(story, "tokens")[0]).toBe(
      "Branch 0.3 made this job slow: it decoded 912 tokens of the 912 tokens on the critical path, 3.0× its siblings’ median.",
    );
  });

  it("adds how long the straggler stood in the queue", () => {
    const story = new Story();
    for (const branch of ["0.1", "0.2", "0.3"]) story.fork(branch);
    story.start(["0.1", "0.2", "0.3"]).join(1, ["0.1", "0.2", "0.3"]);
    story.at(2).finish("0.1", 200).returned("0.1").finish("0.2", 200).returned("0.2");
    story
      .at(12)
      .finish("0.3", 800, { scheduled: 2.4 })
      .returned("0.3")
      .joined(1, ["0.1", "0.2", "0.3"])
      .answered();
    expect(told(story)[0]).toContain("4.8× its siblings’ median; it waited 2.4 s in the pool’s queue.");
  });

  it("blames the queue when most of the way to the answer went by in it", () => {
    const story = new Story();
    const branches = ["0.1", "0.2", "0.3"];
    for (const branch of branches) story.fork(branch);
    story.start(branches).join(1, branches);
    branches.forEach((branch, i) => {
      story
        .at(2 + 4 * i)
        .finish(branch, 200, { scheduled: 4 * i })
        .returned(branch);
    });
    story.joined(1, branches).answered();
    expect(told(story)[0]).toBe(
      "The pool was busy: 8.0 s of the way to the answer, 80% of the job’s time, went by in its queue. " +
        "Branch 0.3 waited longest, 8.0 s.",
    );
  });

  it("tells the wait for a person first, and what the rest took", () => {
    const story = new Story().write("ApprovalRequested", "0", {
      approval: 1,
      gate: "fork",
      subject: "Fork?",
    });
    story.at(7200).write("ApprovalDecided", "0", { approval: 1, decision: "approve", by: "ada" });
    story
      .fork("0.1")
      .start(["0.1"])
      .join(1, ["0.1"])
      .at(7210)
      .finish("0.1", 500, { asked: 7200 })
      .returned("0.1");
    expect(told(story.joined(1, ["0.1"]).answered())[0]).toBe(
      "Waiting for a person took 2 h 0 min, 99% of the job’s time; the rest took 10 s.",
    );
  });

  it("says so when nothing stands out, and when nothing forked", () => {
    const even = forkJoin({ "0.1": 300, "0.2": 310, "0.3": 290 });
    expect(told(even)).toEqual([
      "No branch stands out. 3 branches and the trunk did 9.0 s of work, and the longest chain of it is 3.1 s (2.9× parallel).",
    ]);
    expect(told(even, "tokens")).toEqual([
      "No branch stands out. 3 branches and the trunk did 900 tokens, and the longest chain of it is 310 tokens (2.9× parallel).",
    ]);
    expect(told(new Story().start(["0"]).at(3).finish("0", 640).answered())).toEqual([
      "Nothing forked: 3.0 s of work, all one after another.",
    ]);
  });

  it("says so when branches only followed one another", () => {
    const story = new Story("plan")
      .fork("0.1")
      .start(["0.1"])
      .join(1, ["0.1"])
      .at(1)
      .finish("0.1", 100)
      .returned("0.1");
    story
      .joined(1, ["0.1"])
      .fork("0.2")
      .start(["0.2"])
      .join(2, ["0.2"])
      .at(2)
      .finish("0.2", 90, { asked: 1 })
      .returned("0.2");
    expect(told(story.joined(2, ["0.2"]).answered())[0]).toBe(
      "Hardly anything ran side by side: of 2.0 s of work, 2.0 s form one chain.",
    );
  });

  it("says so when the trunk itself decodes most of the critical path", () => {
    const story = new Story("async-think")
      .start(["0"])
      .at(5)
      .finish("0", 500)
      .fork("0.1")
      .fork("0.2")
      .start(["0.1", "0.2"]);
    story.join(1, ["0.1", "0.2"]).at(7).finish("0.1", 100, { asked: 5 }).returned("0.1");
    story.finish("0.2", 90, { asked: 5 }).returned("0.2");
    expect(told(story.joined(1, ["0.1", "0.2"]).answered())[0]).toBe(
      "Most of the critical path is the trunk’s own: 5.0 s of its 7.0 s, so that 2 branches beside it saved little.",
    );
  });

  it("tells of retries and failures after the cause", () => {
    const story = new Story().fork("0.1").fork("0.2").start(["0.1", "0.2"]).join(1, ["0.1", "0.2"]);
    story.write("BranchRetried", "0.2", { attempt: 2, cause: "replica-died" });
    story.at(1).finish("0.1", 90).returned("0.1").write("BranchFailed", "0.2", { cause: "engine-error" });
    expect(told(story.joined(1, ["0.1"]).answered()).slice(-2)).toEqual([
      "Retried: 0.2 (attempt 2 after replica-died).",
      "Failed: 0.2.",
    ]);
  });

  it("tells a narrow vote, its counts and who was against", () => {
    const voters = (from: number, count: number) => Array.from({ length: count }, (_, i) => `0.${from + i}`);
    const classes = [
      { answer: "21", branches: voters(1, 12), weight: 12 },
      { answer: "20", branches: voters(13, 10), weight: 10 },
      { answer: "18", branches: voters(23, 9), weight: 9 },
    ];
    const narrow = new Story().write("BranchesVoted", "0", { classes, winner: "21" }).answered();
    expect(told(narrow)).toContain("A narrow vote, 12 : 10 : 9: “21” against “20”.");
    const clear = new Story().write("BranchesVoted", "0", {
      classes: [classes[0]!, classes[2]!],
      winner: "21",
    });
    expect(isNarrow(clear.graph.votes[0]!)).toBe(true);
    const far = [classes[0]!, { answer: "1", branches: voters(30, 2), weight: 2 }];
    expect(isNarrow({ classes: far, abstained: [], winner: "21", tie: "" })).toBe(false);
  });

  it("tells what was wasted, and by what", () => {
    const story = new Story().fork("0.1").fork("0.2").fork("0.3").start(["0.1", "0.2", "0.3"]);
    story.join(1, ["0.1"]).at(1).finish("0.1", 100).returned("0.1").joined(1, ["0.1"]);
    story.finish("0.2", 300).write("BranchCancelled", "0.2", { reason: "the vote is decided" });
    story.finish("0.3", 500).write("BranchesPruned", "0", { pruned: ["0.3"], rule: "beam" });
    expect(told(story.answered("21", ["0.1"]))).toContain(
      "89% of the tokens were waste, 800 of 900: 500 in 1 pruned branch (0.3); 300 in 1 cancelled branch (0.2).",
    );
  });

  it("tells how far a running job is", () => {
    const story = new Story()
      .fork("0.1")
      .fork("0.2")
      .start(["0.1"])
      .at(1)
      .start(["0.2"])
      .at(2)
      .finish("0.2", 80)
      .returned("0.2");
    expect(told(story)).toEqual(["Running: 1 of 2 branches have ended; 0.1 has been at work the longest."]);
  });

  it("tells apart that time is short and that it has run out", () => {
    const story = new Story().start(["0"]).at(48);
    story.write("WindUpRequested", "0", { resource: "seconds", limit: 60, spent: 48 });
    expect(told(story)).toContain("Asked to answer soon: 48 of its 60 seconds were spent.");
    expect(told(story).join(" ")).not.toContain("ran out");
    story.at(60).write("BudgetExceeded", "0", { resource: "seconds", limit: 60, spent: 60 });
    expect(told(story)).toContain("A budget ran out: seconds.");
  });

  it("says whether anything is decoded while a person decides", () => {
    const asked = { approval: 1, gate: "fork", subject: "sample" };
    const story = new Story().start(["0"]).at(1);
    story.write("ApprovalRequested", "0", asked);
    expect(told(story)[0]).toBe(
      "Waiting for a person to decide on the fork. Meanwhile 1 branch is being decoded.",
    );
    story.at(2).finish("0", 10);
    expect(told(story)[0]).toBe(
      "Waiting for a person to decide on the fork. Nothing is being decoded meanwhile.",
    );
  });

  it("says that a limit cut the answer's text", () => {
    const cut = "A limit of tokens cut the answer's text.";
    expect(told(forkJoin({ "0.1": 10 }))).not.toContain(cut);
    expect(told(new Story().write("AnswerCommitted", "0", { text: "forty", truncated: true }))).toContain(
      cut,
    );
  });
});
