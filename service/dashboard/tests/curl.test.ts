import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { curlOf, quoted } from "../src/model/curl";

const HOSTILE = `it's "$(touch /tmp/x)" \`id\` \\ \n !! ; rm -rf ~ '\\''`;

describe("copy as curl", () => {
  it("quotes so that a shell sees one word, whatever a model wrote", () => {
    expect(execFileSync("sh", ["-c", `printf %s ${quoted(HOSTILE)}`], { encoding: "utf8" })).toBe(HOSTILE);
  });

  it("sends the context, the begun turn, seed and sampling", () => {
    const command = curlOf({
      origin: "http://127.0.0.1:8000",
      messages: [{ role: "user", content: HOSTILE }],
      continuation: "So far",
      model: "anabranch/sequential",
      seed: 7,
      temperature: 0.7,
      maxTokens: 512,
    });
    const echoed = execFileSync("sh", ["-c", command.replace(/^curl/, "printf '%s\\0'")], {
      encoding: "utf8",
    }).split("\0");
    expect(echoed[0]).toBe("http://127.0.0.1:8000/v1/chat/completions");
    expect(JSON.parse(echoed[4]!)).toEqual({
      model: "anabranch/sequential",
      messages: [
        { role: "user", content: HOSTILE },
        { role: "assistant", content: "So far" },
      ],
      seed: 7,
      temperature: 0.7,
      max_tokens: 512,
    });
  });
});
