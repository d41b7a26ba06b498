/**
 * The journal of one job in this tab: a snapshot by pages, then deltas from the stream, joined by seq. A gap, a new
 * stream or a resync all mend in the same way: what follows the last known seq is fetched.
 */

import type { JournalEvent } from "../model/journal/events";
import { emptyGraph, isOver, type ReasoningGraph } from "../model/journal/graph";
import { fold } from "../model/journal/journal";
import { get, Problem, withQuery } from "./api";
import { Drafts } from "./drafts";
import { stream } from "./stream";

const PAGE = 1000;
/** A snapshot that takes longer than this to come is shown in parts. */
const SHOW_PART_MS = 1500;

interface EventPage {
  items: JournalEvent[];
  next_after: number | null;
}

export class JobFeed {
  readonly events: JournalEvent[] = [];
  readonly drafts = new Drafts();
  graph: ReasoningGraph;
  /** Grows with every change, for React. */
  version = 0;
  loaded = false;
  problem: Problem | null = null;
  private readonly listeners = new Set<() => void>();
  private readonly ahead = new Map<number, JournalEvent>();
  private fetching: Promise<void> | null = null;
  private scheduled = false;
  private stops: (() => void)[] = [];
  private lastCost = 0;

  constructor(readonly job: string) {
    this.graph = emptyGraph(job);
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    if (this.listeners.size === 1) this.open();
    return () => {
      this.listeners.delete(listener);
      if (this.listeners.size === 0) this.close();
    };
  };

  readonly snapshot = (): number => this.version;

  private open(): void {
    const catchUp = (): void => void this.catchUp();
    this.stops = [
      stream.on("record", (event) => event.job === this.job && this.hear(event)),
      stream.on("text", (news) => news.job === this.job && this.drafts.hear(news)),
      stream.on("open", catchUp),
      stream.on("resync", catchUp),
    ];
    // A job that is not known must not break the stream of the others, and one that has ended tells nothing more.
    void this.catchUp().then(() => {
      const isWorthIt = this.loaded && !isOver(this.graph.status) && this.listeners.size > 0;
      if (isWorthIt) this.stops.push(stream.watch(this.job));
    });
  }

  private close(): void {
    for (const stop of this.stops) stop();
    this.stops = [];
  }

  private hear(event: JournalEvent): void {
    if (event.seq <= this.graph.seq) return;
    this.ahead.set(event.seq, event);
    if (!this.loaded || this.fetching) return;
    if (this.ahead.has(this.graph.seq + 1)) this.schedule();
    else void this.catchUp();
  }

  private catchUp(): Promise<void> {
    if (this.loaded && isOver(this.graph.status)) return Promise.resolve();
    this.fetching ??= this.fetchRest().finally(() => {
      this.fetching = null;
      this.flush();
    });
    return this.fetching;
  }

  private async fetchRest(): Promise<void> {
    let told = performance.now();
    try {
      for (let next: Promise<EventPage> | null = this.page(this.graph.seq); next !== null; ) {
        const { items, next_after: after }: EventPage = await next;
        // The next page is on its way while this one is folded.
        next = after === null ? null : this.page(after);
        this.take(items);
        if (next === null || performance.now() - told < SHOW_PART_MS) continue;
        this.tell();
        told = performance.now();
      }
      this.loaded = true;
      this.problem = null;
    } catch (error) {
      if (error instanceof Problem) this.problem = error;
      else throw error;
    }
  }

  private page(after: number): Promise<EventPage> {
    return get<EventPage>(withQuery(`/v1/jobs/${this.job}/events`, { after, limit: PAGE }));
  }

  private take(events: readonly JournalEvent[]): void {
    const fresh = events.filter((event) => event.seq > this.graph.seq);
    this.events.push(...fresh);
    fold(this.graph, fresh);
    this.drafts.settle(fresh);
  }

  /** Apply what has come at most once per frame, and less often where drawing a frame takes long. */
  private schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    const wait = Math.min(500, this.lastCost * 3);
    setTimeout(() => requestAnimationFrame(() => this.flush()), wait);
  }

  private flush(): void {
    this.scheduled = false;
    const ready: JournalEvent[] = [];
    for (let seq = this.graph.seq + 1; this.ahead.has(seq); seq++) ready.push(this.ahead.get(seq)!);
    this.take(ready);
    for (const seq of this.ahead.keys()) if (seq <= this.graph.seq) this.ahead.delete(seq);
    this.tell();
    if (this.ahead.size > 0 && this.loaded) setTimeout(() => void this.catchUp(), 250);
  }

  private tell(): void {
    this.version += 1;
    const before = performance.now();
    for (const listener of this.listeners) listener();
    this.lastCost = performance.now() - before;
  }
}

const feeds = new Map<string, JobFeed>();
const KEPT = 6;

/** The feed of this job; the last few are kept so that going back shows the page at once. */
export function feedOf(job: string): JobFeed {
  const feed = feeds.get(job) ?? new JobFeed(job);
  feeds.delete(job);
  feeds.set(job, feed);
  for (const old of feeds.keys()) if (feeds.size > KEPT) feeds.delete(old);
  return feed;
}
