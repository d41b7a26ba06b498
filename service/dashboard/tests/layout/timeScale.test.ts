import { describe, expect, it } from "vitest";
import { niceStep, TimeScale } from "../../src/model/layout/timeScale";

describe("the time scale", () => {
  it("is even where work goes on all the time", () => {
    const scale = new TimeScale([{ from: 0, to: 10 }], 0, 10);
    expect([0, 2.5, 10].map((moment) => scale.at(moment))).toEqual([0, 0.25, 1]);
    expect(scale.gaps).toEqual([]);
  });

  it("compresses two hours of waiting for a person between ten seconds of work", () => {
    const busy = [
      { from: 0, to: 4 },
      { from: 7204, to: 7210 },
    ];
    const scale = new TimeScale(busy, 0, 7210);
    expect(scale.gaps.map(({ from, to }) => [from, to])).toEqual([[4, 7204]]);
    expect(scale.at(7204) - scale.at(4)).toBeLessThan(0.05);
    expect(scale.at(4)).toBeGreaterThan(0.35);
  });

  it("keeps a short pause as it is", () => {
    expect(
      new TimeScale(
        [
          { from: 0, to: 1 },
          { from: 2, to: 3 },
        ],
        0,
        3,
      ).gaps,
    ).toEqual([]);
  });

  it("goes there and back", () => {
    const scale = new TimeScale(
      [
        { from: 0, to: 4 },
        { from: 7204, to: 7210 },
      ],
      0,
      7210,
    );
    for (const moment of [0, 1, 3.99, 5000, 7204, 7209, 7210])
      expect(scale.moment(scale.at(moment))).toBeCloseTo(moment, 6);
  });

  it("labels round moments, none of them inside a gap", () => {
    const scale = new TimeScale(
      [
        { from: 0, to: 4 },
        { from: 7204, to: 7210 },
      ],
      0,
      7210,
    );
    const ticks = scale.ticks(5);
    expect(ticks.every((tick) => tick <= 4 || tick >= 7204)).toBe(true);
    expect(ticks.length).toBeGreaterThan(3);
  });

  it("steps by 1, 2 and 5, then by minutes and hours", () => {
    expect([0.013, 0.3, 4, 40, 100, 4000].map(niceStep)).toEqual([0.02, 0.5, 5, 60, 120, 7200]);
  });
});
