import { describe, expect, it } from "vitest";
import type { ArmView, EvaluationView, TrialView } from "../src/data/api.generated";
import { COSTS, frontierOf, isRight, points, pointsOf, rowsOf } from "../src/model/analysis/evaluation";

const arm = (name: string, accuracy: number, path: number): ArmView =>
  ({ arm: name, trials: 4, accuracy, critical_path_tokens: path, total_tokens: 0 }) as ArmView;
const trial = (task: string, by: string, score: number, path = 10): TrialView =>
  ({ task, arm: by, score, critical_path_tokens: path, job: `${task}-${by}` }) as TrialView;
const EVALUATION = {
  arms: ["one", "vote", "new"],
  reports: [arm("one", 0.5, 100), arm("vote", 0.75, 200), { ...arm("new", 0, 0), trials: 0 }],
  frontiers: { critical_path_tokens: ["one", "vote"] },
  design: {
    tasks: ["1", "2", "3"].map((id) => ({ id, question: `${id}?`, answer: id })),
    limits: { critical_path_tokens: 50 },
  },
  trials: [
    trial("1", "one", 1),
    trial("1", "vote", 0.5),
    trial("2", "one", 1),
    trial("2", "vote", 1),
    trial("3", "one", 1, 51),
  ],
} as unknown as EvaluationView;

describe("an evaluation's plot", () => {
  it("has a point for each policy that was judged, the dearest at the right end", () => {
    const found = pointsOf(EVALUATION, COSTS[0]!);
    expect(found.map(({ arm: { arm: name }, x, y, best }) => [name, x, y, best])).toEqual([
      ["one", 0.5, 0.5, true],
      ["vote", 1, 0.75, true],
    ]);
    expect(frontierOf([...found].reverse()).map(({ arm: { arm: name } }) => name)).toEqual(["one", "vote"]);
  });

  it("stands where a cost is nothing", () => {
    expect(pointsOf(EVALUATION, COSTS[1]!).map(({ x, best }) => [x, best])).toEqual([
      [0, false],
      [0, false],
    ]);
  });
});

describe("its matrix", () => {
  it("has every task with its verdicts in the order of the policies, and tells where they part", () => {
    const rows = rowsOf(EVALUATION);
    expect(rows.map((row) => row.trials.map((one) => one?.job ?? null))).toEqual([
      ["1-one", "1-vote", null],
      ["2-one", "2-vote", null],
      ["3-one", null, null],
    ]);
    expect(rows.map((row) => row.parts)).toEqual([true, false, false]);
  });

  it("counts an answer beyond the critical path as wrong", () => {
    expect(EVALUATION.trials.map((one) => isRight(EVALUATION, one))).toEqual([
      true,
      false,
      true,
      true,
      false,
    ]);
  });
});

describe("a difference", () => {
  it("is told in points, with its sign", () => {
    expect([0.0512, -0.25, 0, 1].map(points)).toEqual(["+5.1", "−25", "0", "+100"]);
  });
});
