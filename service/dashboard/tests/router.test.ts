import { describe, expect, it } from "vitest";
import { decoded } from "../src/router";

describe("a part of an address", () => {
  it("is read as it was before it was written into one", () => {
    expect(decoded("a%20b")).toBe("a b");
  });
  it("stays as it is where it cannot be read", () => {
    for (const part of ["%zz", "%", "%e0%a4"]) expect(decoded(part)).toBe(part);
  });
});
