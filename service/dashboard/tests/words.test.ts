import { describe, expect, it } from "vitest";
import { against, ago, clock, counted, median, percent, seconds, tokens } from "../src/model/words";

describe("numbers in words", () => {
  it("give durations in the unit that fits", () => {
    expect([0, 0.0004, 0.012, 0.87, 2.4, 59.4, 134, 8040, 200_000].map(seconds)).toEqual([
      "0 s",
      "0.4 ms",
      "0.01 s",
      "0.87 s",
      "2.4 s",
      "59 s",
      "2 min 14 s",
      "2 h 14 min",
      "2 d 7 h",
    ]);
  });

  it("give moments on an axis as a clock from a minute on", () => {
    expect([3, 60, 134, 8045].map((moment) => clock(moment))).toEqual(["3.0 s", "1:00", "2:14", "2:14:05"]);
    expect(clock(8045.5, true)).toBe("2:14:05.5");
  });

  it("count, with the right plural", () => {
    expect([counted(1, "branch"), counted(1200, "branch"), counted(2, "token"), tokens(1130)]).toEqual([
      "1 branch",
      "1,200 branches",
      "2 tokens",
      "1,130",
    ]);
  });

  it("never round a part up to the whole", () => {
    expect([percent(0.999), percent(1), percent(0.004)]).toEqual(["99%", "100%", "0%"]);
  });

  it("know the middle of even and odd counts, and of nothing", () => {
    expect([median([3, 1, 2]), median([4, 1, 2, 3]), median([])]).toEqual([2, 2.5, 0]);
  });

  it("say how long ago", () => {
    const now = Date.parse("2026-03-14T12:00:00Z") / 1000;
    expect(
      ["11:59:58", "11:59:20", "11:20:00", "09:00:00"].map((at) => ago(`2026-03-14T${at}Z`, now)),
    ).toEqual(["just now", "40 s ago", "40 min ago", "3 h ago"]);
  });
});

it.each([
  [100, 100, "same"],
  [100, 115, "+15%"],
  [100, 80, "−20%"],
  [1000, 1001, "about the same"],
  [65, 965, "15× as much"],
  [10, 2, "5.0× less"],
  [0, 5, "from nothing"],
  [5, 0, "to nothing"],
])("%d against %d is %j", (before, after, told) => expect(against(before, after)).toBe(told));
