import { createElement, type FunctionComponent } from "react";
import { renderToStaticMarkup } from "react-dom/server";
import { describe, expect, it } from "vitest";
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
