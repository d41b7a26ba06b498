import { describe, expect, it } from "vitest";
import { pieces, shown } from "../../src/model/text/unseen";

describe("what a text hides is told", () => {
  it.each([
    ["a\u202egnp.exe", "a⟨RLO⟩gnp.exe"],
    ["zero\u200bwidth", "zero⟨U+200B⟩width"],
    ["word\u00adbreak", "word⟨U+00AD⟩break"],
    ["bell\u0007", "bell⟨U+0007⟩"],
    ["line\u2028end", "line⟨U+2028⟩end"],
    ["filler\u3164", "filler⟨U+3164⟩"],
    [`o${"\u0301".repeat(40)}`, "o\u0301\u0301\u0301⟨+37⟩"],
    ["a\u200db", "a⟨U+200D⟩b"],
  ])("%j", (text, told) => expect(shown(text)).toBe(told));

  it("spells what tags say", () => {
    const smuggled = [..."ignore"]
      .map((letter) => String.fromCodePoint(0xe0000 + letter.charCodeAt(0)))
      .join("");
    expect(pieces(`hi${smuggled}`)).toEqual([
      "hi",
      {
        sign: "⟨6 hidden⟩",
        name: "Hidden: U+E0069, U+E0067, U+E006E and 3 more; as tags they spell “ignore”",
      },
    ]);
  });
});

it.each([
  "plain, with\ttabs and\nlines",
  "👩‍🔬 and ❤️ and 👍🏽",
  "می‌خواهم",
  "क्‍ष",
  "Việt Nam, Zürich, שלום",
  "בְּרֵאשִׁ֖ית",
])("%s needs no telling", (text) => expect(shown(text)).toBe(text));

it("is linear in what is hidden", () => {
  const text = "\u200b".repeat(200_000) + "e\u0301".repeat(100_000) + "\u0301".repeat(200_000);
  expect(shown(text).length).toBeLessThan(text.length);
});
