import { describe, expect, it } from "vitest";
import { fieldsOf, readField } from "../src/model/params";

const fields = fieldsOf({
  type: "object",
  required: ["goal"],
  properties: {
    n: { type: "integer", minimum: 1, maximum: 64, default: 8, description: "How many samples." },
    quorum: { anyOf: [{ type: "number", exclusiveMinimum: 0 }, { type: "null" }], default: null },
    tie: { enum: ["first", "shortest"], default: "first" },
    early: { type: "boolean", default: true },
    goal: { type: "string" },
    widths: { type: "array", default: [2, 3] },
  },
});
const field = (name: string) => fields.find((one) => one.name === name)!;

describe("policy parameters as a form", () => {
  it("come from the policy's JSON Schema", () => {
    expect(fields.map(({ name, kind }) => [name, kind])).toEqual([
      ["n", "integer"],
      ["quorum", "number"],
      ["tie", "choice"],
      ["early", "boolean"],
      ["goal", "text"],
      ["widths", "json"],
    ]);
    expect(field("n")).toMatchObject({
      preset: "8",
      range: "1 to 64",
      doc: "How many samples.",
      required: false,
    });
    expect(field("quorum")).toMatchObject({ preset: "", range: "over 0" });
    expect(field("goal").required).toBe(true);
  });

  it("send only what differs from the default, in the right type", () => {
    expect(readField(field("n"), "8")).toBeUndefined();
    expect(readField(field("n"), "12")).toBe(12);
    expect(readField(field("early"), "false")).toBe(false);
    expect(readField(field("tie"), "shortest")).toBe("shortest");
    expect(readField(field("widths"), "[4]")).toEqual([4]);
  });

  it("leave what is no number for the service to refuse by name", () => {
    expect(readField(field("n"), "many")).toBe("many");
    expect(() => readField(field("widths"), "[4")).toThrow(SyntaxError);
  });
});
