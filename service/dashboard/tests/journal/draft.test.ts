import { describe, expect, it } from "vitest";
import { type Draft, grow, type LiveText } from "../../src/model/journal/draft";

const news = (more: Partial<LiveText>): LiveText => ({
  job: "job",
  branch: "0.1",
  segment: 1,
  at: 0,
  text: "",
  reasoning_at: 0,
  reasoning: "",
  ...more,
});
const after = (...told: Partial<LiveText>[]): Draft | undefined =>
  told.reduce<Draft | undefined>((draft, one) => grow(draft, news(one), 1000), undefined);

describe("live text", () => {
  it("grows at its end, thoughts apart from text", () => {
    const draft = after(
      { reasoning: "Seven ", tokens: 1, reasoning_tokens: 1 },
      { reasoning_at: 6, reasoning: "threes.", tokens: 2, reasoning_tokens: 2 },
      { reasoning_at: 13, text: "So 2", tokens: 4 },
      { reasoning_at: 13, at: 4, text: "1.", tokens: 5 },
    );
    expect(draft).toEqual({
      segment: 1,
      text: "So 21.",
      thought: "Seven threes.",
      tokens: 5,
      thoughtTokens: 2,
      heardAt: 1000,
    });
  });

  it("is replaced from where it is told anew", () => {
    expect(after({ text: "So 20." }, { at: 4, text: "1." })?.text).toBe("So 21.");
    expect(after({ text: "a thought after all" }, { reasoning: "a thought after all" })?.text).toBe("");
  });

  it("begins anew with the next segment, and hears nothing of an older one", () => {
    expect(after({ text: "first" }, { segment: 2, text: "second" })?.text).toBe("second");
    expect(after({ segment: 2, text: "second" }, { text: "first" })?.text).toBe("second");
  });

  it("makes nothing up behind a gap", () => {
    expect(after({ text: "So " }, { at: 5, text: "lost" })?.text).toBe("So ");
    expect(after({ at: 5, text: "lost" })).toBeUndefined();
  });
});
