import { describe, expect, it } from "vitest";
import { transcriptOf } from "../../src/model/analysis/transcript";
import { forkJoin, Story } from "../story";

const told = (story: Story) =>
  transcriptOf(story.events, story.graph).map(({ branch, title }) => `${branch} ${title}`);

describe("the transcript", () => {
  it("reads as what happened, with the children of one fork in one line", () => {
    expect(told(forkJoin({ "0.1": 100, "0.2": 300 }))).toEqual([
      "0 asked, for self-consistency",
      "0 forked 2 branches",
      "0.1 decoded 100 tokens in 1.0 s",
      "0.1 returned",
      "0.2 decoded 300 tokens in 3.0 s",
      "0.2 returned",
      "0 joined 2 branches",
      "0 answered",
    ]);
  });

  it("does not repeat a text that was returned as it was written", () => {
    const story = new Story()
      .fork("0.1")
      .start(["0.1"])
      .at(1)
      .finish("0.1", 10)
      .returned("0.1", "text of 0.1");
    expect(told(story)).not.toContain("0.1 returned");
  });

  it("tells votes with counts and abstentions, and what went wrong", () => {
    const story = new Story().fork("0.1").fork("0.2").start(["0.1"]);
    story.write("BranchFailed", "0.2", { cause: "engine-error", detail: "out of memory" });
    const classes = [{ answer: "21", branches: ["0.1"], weight: 1 }];
    story.write("BranchesVoted", "0", { classes, abstained: ["0.2"], winner: "21", decided: true });
    const entries = transcriptOf(story.events, story.graph);
    expect(entries.at(-1)).toMatchObject({ title: "voted: 21", text: "1 × 21   (0.1)\nabstained: 0.2" });
    expect(entries.at(-2)).toMatchObject({
      tone: "wrong",
      title: "failed: engine-error",
      text: "out of memory",
    });
  });
});
