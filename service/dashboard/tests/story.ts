/** Writes small journals for the tests: each call is one event at the moment last named with `at`. */

import type { JournalEvent, Kind, Payloads } from "../src/model/journal/events";
import type { ReasoningGraph } from "../src/model/journal/graph";
import { graphOf } from "../src/model/journal/journal";

export const EPOCH = Date.parse("2026-03-14T09:00:00Z") / 1000;

export class Story {
  readonly events: JournalEvent[] = [];
  private now = 0;

  constructor(policy = "self-consistency") {
    this.write("JobSubmitted", "0", {
      spec: { messages: [{ role: "user", parts: ["How many ways?"] }], policy },
      policy_version: "0",
    });
    this.write("JobClaimed", "0", { owner: "organizer-1", attempt: 1 });
  }

  at(seconds: number): this {
    this.now = seconds;
    return this;
  }

  write<K extends Kind>(kind: K, branch: string, payload: Payloads[K]): this {
    const at = new Date((EPOCH + this.now) * 1000).toISOString();
    this.events.push({
      job: "job",
      seq: this.events.length + 1,
      epoch: 1,
      at,
      kind,
      branch,
      payload,
    } as JournalEvent);
    return this;
  }

  fork(child: string, more: Partial<Payloads["BranchForked"]> = {}): this {
    const parent = child.slice(0, child.lastIndexOf("."));
    return this.write("BranchForked", parent, { child, role: "sample", label: `sample ${child}`, ...more });
  }

  /** Start segments of several branches at this moment. */
  start(branches: string[], segment = 1): this {
    for (const branch of branches) this.write("SegmentStarted", branch, { segment });
    return this;
  }

  /** A segment that was asked for at `asked`, left the queue at `scheduled`, and ends now. */
  finish(
    branch: string,
    tokens: number,
    times: { asked?: number; scheduled?: number; segment?: number } = {},
  ): this {
    const asked = times.asked ?? 0;
    const scheduled = times.scheduled ?? asked;
    return this.write("SegmentFinished", branch, {
      segment: times.segment ?? 1,
      attempt: 1,
      decoded: {
        text: `text of ${branch}`,
        finish: "eos",
        usage: { prompt_tokens: 100, completion_tokens: tokens },
        timing: {
          submitted: EPOCH + asked,
          scheduled: EPOCH + scheduled,
          first_token: EPOCH + scheduled + 0.1,
          finished: EPOCH + this.now,
        },
      },
    });
  }

  returned(branch: string, value = "21"): this {
    return this.write("BranchReturned", branch, { value });
  }

  join(ordinal: number, targets: string[]): this {
    return this.write("JoinRequested", "0", { join: ordinal, targets, mode: "all" });
  }

  joined(ordinal: number, joined: string[]): this {
    return this.write("BranchesJoined", "0", { join: ordinal, joined });
  }

  answered(text = "21", sources: string[] = []): this {
    return this.write("AnswerCommitted", "0", { text, sources })
      .returned("0", text)
      .write("JobSucceeded", "0", {});
  }

  get graph(): ReasoningGraph {
    return graphOf(this.events);
  }
}

/** A fork of these branches, each decoding its tokens at 100 a second, one join, the answer. */
export function forkJoin(tokens: Record<string, number>): Story {
  const story = new Story();
  const branches = Object.keys(tokens);
  for (const branch of branches) story.fork(branch);
  story.start(branches).join(1, branches);
  for (const [branch, count] of Object.entries(tokens).sort((a, b) => a[1] - b[1])) {
    story
      .at(count / 100)
      .finish(branch, count)
      .returned(branch);
  }
  return story.joined(1, branches).answered("21", branches);
}
