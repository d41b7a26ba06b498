// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { JobFeed } from "../../src/data/feed";
import { stream } from "../../src/data/stream";
import type { JournalEvent } from "../../src/model/journal/events";
import { forkJoin } from "../story";

const ALL = forkJoin({ "0.1": 100, "0.2": 300, "0.3": 200 }).events;

/** The events endpoint over a journal that has so many events yet, in pages of `page`. */
function serve(journal: { length: number }, page: number): string[] {
  const asked: string[] = [];
  vi.stubGlobal("fetch", (path: string) => {
    asked.push(path);
    const after = Number(new URL(path, "http://here").searchParams.get("after"));
    const items = ALL.slice(after, Math.min(after + page, journal.length));
    const next_after = after + items.length < journal.length ? after + items.length : null;
    return Promise.resolve(new Response(JSON.stringify({ items, next_after })));
  });
  return asked;
}

type Listeners = Record<string, Set<(heard: unknown) => void>>;
const hear = (kind: string, heard: unknown): void => {
  for (const listener of (stream as unknown as { listeners: Listeners }).listeners[kind] ?? [])
    listener(heard);
};
const tell = (event: JournalEvent): void => hear("record", event);
const settled = (feed: JobFeed, seq: number): Promise<void> =>
  vi.waitFor(() => expect(feed.graph.seq).toBe(seq));

describe("the feed of a job", () => {
  let stop = (): void => undefined;
  beforeEach(() => vi.spyOn(stream, "watch").mockReturnValue(() => undefined));
  afterEach(() => {
    stop();
    vi.unstubAllGlobals();
    vi.restoreAllMocks();
  });

  it("takes a snapshot page by page, then deltas by seq", async () => {
    const asked = serve({ length: 10 }, 4);
    const feed = new JobFeed("job");
    stop = feed.subscribe(() => undefined);
    await settled(feed, 10);
    expect(asked).toHaveLength(3);
    for (const event of ALL.slice(10)) tell(event);
    await settled(feed, ALL.length);
    expect(feed.events.map(({ seq }) => seq)).toEqual(ALL.map(({ seq }) => seq));
    expect(asked).toHaveLength(3);
  });

  it("skips what it has and fetches what it missed", async () => {
    const journal = { length: 6 };
    serve(journal, 100);
    const feed = new JobFeed("job");
    stop = feed.subscribe(() => undefined);
    await settled(feed, 6);
    journal.length = ALL.length;
    tell(ALL[3]!);
    tell(ALL[12]!);
    await settled(feed, ALL.length);
    expect(feed.events.map(({ seq }) => seq)).toEqual(ALL.map(({ seq }) => seq));
  });

  it("holds back deltas that overtake the snapshot", async () => {
    const journal = { length: 8 };
    serve(journal, 100);
    const feed = new JobFeed("job");
    stop = feed.subscribe(() => undefined);
    tell(ALL[8]!);
    tell(ALL[9]!);
    await settled(feed, 10);
    expect(feed.graph.nodes.size).toBeGreaterThan(2);
  });

  it("has the live text of a segment until the journal has it", async () => {
    const end = ALL.findIndex(({ kind, branch }) => kind === "SegmentFinished" && branch === "0.1");
    serve({ length: end }, 100);
    const feed = new JobFeed("job");
    stop = feed.subscribe(() => undefined);
    await settled(feed, end);
    const text = { segment: 1, at: 0, text: "So", reasoning_at: 0, reasoning: "" };
    hear("text", { job: "job", branch: "0.1", ...text });
    hear("text", { job: "another", branch: "0.2", ...text });
    expect(feed.drafts.of("0.1", 1)?.text).toBe("So");
    expect(feed.drafts.of("0.2", 1)).toBeNull();
    tell(ALL[end]!);
    await settled(feed, end + 1);
    hear("text", { job: "job", branch: "0.1", ...text });
    expect(feed.drafts.of("0.1", 1)).toBeNull();
  });

  it("says what went wrong when the snapshot cannot be had", async () => {
    const problem = { title: "There is no such job", status: 404, detail: "Nothing is known of it." };
    vi.stubGlobal("fetch", () => Promise.resolve(new Response(JSON.stringify(problem), { status: 404 })));
    const feed = new JobFeed("job");
    stop = feed.subscribe(() => undefined);
    await vi.waitFor(() => expect(feed.problem?.title).toBe("There is no such job"));
  });
});
