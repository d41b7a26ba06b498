import { expect, it } from "vitest";
import { readPlan } from "../src/model/plan";

it("puts subtasks into columns by what they wait for", () => {
  const plan = readPlan(
    JSON.stringify({
      subtasks: [
        { id: "t1", question: "When was Rome founded?", after: [] },
        { id: "t2", question: "What is the capital?", after: [] },
        { id: "t3", question: "When was it founded?", after: ["t2", "unknown"] },
        { id: "t4", question: "Compare", after: ["t1", "t3"] },
      ],
      synthesis: "Subtract.",
    }),
  );
  expect(plan?.subtasks.map(({ id, column }) => [id, column])).toEqual([
    ["t1", 0],
    ["t2", 0],
    ["t3", 1],
    ["t4", 2],
  ]);
  expect(plan?.synthesis).toBe("Subtract.");
});

it("makes nothing of what is no plan, and ends on cycles", () => {
  expect(readPlan("- not JSON")).toBeNull();
  expect(readPlan('{"tasks": []}')).toBeNull();
  expect(readPlan('{"direct": true}')).toEqual({ subtasks: [], synthesis: "" });
  const circle = [
    { id: "a", question: "", after: ["b"] },
    { id: "b", question: "", after: ["a"] },
  ];
  expect(readPlan(JSON.stringify({ subtasks: circle }))?.subtasks.map(({ column }) => column)).toEqual([
    0, 0,
  ]);
});
