import { createElement, type FunctionComponent } from "react";
import { renderToStaticMarkup } from "react-dom/server";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { Answer } from "../../src/job/Answer";
import { JobContext, type JobState } from "../../src/job/JobContext";
import { AnswerPanel } from "../../src/job/panels/PointPanels";
import { Story } from "../story";

const calls = [
  { name: "lookup", arguments: '{"of": "<b>"}', id: "c1" },
  { name: "clock", arguments: "", id: "c2" },
];

function drawn(part: FunctionComponent, story: Story): string {
  const value = { graph: story.graph } as JobState;
  return renderToStaticMarkup(createElement(JobContext.Provider, { value }, createElement(part)));
}

describe("an answer that calls tools", () => {
  const story = new Story().write("AnswerCommitted", "0", { text: "", calls });

  it.each([Answer, AnswerPanel])("shows each call with its arguments, as text", (part) => {
    const page = drawn(part, story);
    expect(page.match(/class="call"/g)).toHaveLength(2);
    expect(page).toContain("<code>lookup</code> with ");
    expect(page).toContain("{&quot;of&quot;: &quot;&lt;b&gt;&quot;}");
    expect(page).toMatch(/<code>clock<\/code> with <code class="text">\{\}</);
  });

  it("shows none where there is none", () => {
    expect(drawn(Answer, new Story().answered("21"))).not.toContain('class="call"');
  });
});

describe("an answer that cites passages", () => {
  beforeEach(() => {
    vi.stubGlobal("window", { location: { pathname: "/jobs/a", search: "" } });
    return () => vi.unstubAllGlobals();
  });

  const cited = (rest: object) => [{ number: 3, source: "web", branch: "0.1", ...rest }];
  const page = (part: FunctionComponent, rest: object) =>
    drawn(part, new Story().write("AnswerCommitted", "0", { text: "So [3].", citations: cited(rest) }));

  it.each([Answer, AnswerPanel])("shows number, source, title and how the passage begins", (part) => {
    const html = page(part, { title: "Lease", url: "https://a.example/lease", text: "Due <b>Monday</b>" });
    expect(html).toMatch(/\[(?:<!-- -->)?3/);
    expect(html).toContain('<a href="https://a.example/lease"');
    expect(html).toContain('rel="noopener noreferrer nofollow"');
    expect(html).toContain(">Lease</a>");
    expect(html).toContain("Due &lt;b&gt;Monday&lt;/b&gt;");
  });

  it.each(["javascript:alert(1)", " javascript:alert(1)", "data:text/html,x", "//evil.example", "lease.pdf"])(
    "makes no link of %s",
    (url) => {
      const html = page(Answer, { url });
      expect(html).not.toMatch(/<a href="(?:\s*javascript|data|\/\/|lease)/i);
      expect(html).toContain(url.trim());
    },
  );

  it("shows none where there is none", () => {
    expect(drawn(Answer, new Story().answered("21"))).not.toContain("citations");
  });
});
