/**
 * The one stream of this tab. It carries job summaries, the load, and the records of the jobs that are watched; their live
 * text, too, while somebody reads it. Closed while the tab is hidden (browsers allow six streams to a server over all tabs), resumed at its cursor when it is seen.
 */

import type { LiveText } from "../model/journal/draft";
import type { JournalEvent } from "../model/journal/events";
import { authorization, withQuery } from "./api";
import { readEvents, type ServerEvent } from "./sse";
import type { Job, Load } from "./types";

export type Connection = "connecting" | "live" | "paused" | "lost";

interface Heard {
  record: JournalEvent;
  text: LiveText;
  job: Job;
  load: Load;
  /** The server dropped what this tab had not read: everything is to be fetched again. */
  resync: null;
  /** A stream was opened, for these or other jobs: their journals are to be caught up with. */
  open: null;
  /** It is live again after it was lost or paused: whatever else is shown may be old. */
  back: null;
  connection: Connection;
}

type Listener<K extends keyof Heard> = (heard: Heard[K]) => void;

/** The server pings each 15 seconds; after this long without a byte the connection is taken for dead. */
const SILENCE_MS = 40_000;
const RETRY_MS = [300, 1000, 2000, 5000];

export class LiveStream {
  connection: Connection = "connecting";
  load: Load | null = null;
  private readonly listeners: { [K in keyof Heard]?: Set<Listener<K>> } = {};
  private readonly watched = new Map<string, number>();
  private readers = 0;
  private asked = "";
  private running: AbortController | null = null;
  private cursor = "";
  private cursorOf = "";
  private failures = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;

  start(): void {
    document.addEventListener("visibilitychange", () => (document.hidden ? this.pause() : this.reopen()));
    this.reopen();
  }

  /** Calls `listener` for everything of this kind; returns how to stop. */
  on<K extends keyof Heard>(kind: K, listener: Listener<K>): () => void {
    const known = this.listeners[kind] as Set<Listener<K>> | undefined;
    const listeners = known ?? new Set<Listener<K>>();
    this.listeners[kind] = listeners as never;
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  /** Have the records of this job delivered too; returns how to stop. */
  watch(job: string): () => void {
    this.watched.set(job, (this.watched.get(job) ?? 0) + 1);
    this.reopenSoon();
    return () => {
      const left = (this.watched.get(job) ?? 1) - 1;
      if (left > 0) this.watched.set(job, left);
      else this.watched.delete(job);
      this.reopenSoon();
    };
  }

  /** Have the live text of the watched jobs delivered, too; returns how to stop. */
  read(): () => void {
    this.readers += 1;
    this.reopenSoon();
    return () => {
      this.readers -= 1;
      this.reopenSoon();
    };
  }

  private get jobs(): string {
    return [...this.watched.keys()].sort().join(",");
  }

  private reopenSoon(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.wanted() !== this.asked && this.reopen(), 20);
  }

  private wanted(): string {
    return withQuery("/v1/stream", { jobs: this.jobs, list: 1, text: this.readers > 0 ? "all" : "" });
  }

  private reopen(): void {
    clearTimeout(this.timer);
    this.running?.abort();
    if (document.hidden) {
      this.pause();
      return;
    }
    this.running = new AbortController();
    void this.run(this.jobs, this.running);
  }

  private pause(): void {
    clearTimeout(this.timer);
    this.running?.abort();
    this.running = null;
    this.become("paused");
  }

  private async run(jobs: string, control: AbortController): Promise<void> {
    if (jobs !== this.cursorOf) this.cursor = "";
    this.cursorOf = jobs;
    let watchdog: ReturnType<typeof setTimeout> | undefined;
    const alive = (): void => {
      clearTimeout(watchdog);
      watchdog = setTimeout(() => control.abort("silent"), SILENCE_MS);
    };
    alive();
    try {
      const headers: Record<string, string> = { Accept: "text/event-stream", ...authorization() };
      if (this.cursor) headers["Last-Event-ID"] = this.cursor;
      this.asked = this.wanted();
      const response = await fetch(this.asked, { headers, signal: control.signal });
      if (response.status === 400) this.cursor = "";
      if (!response.ok || !response.body) throw new Error(`status ${response.status}`);
      this.failures = 0;
      this.become("live");
      this.tell("open", null);
      await readEvents(response.body, (event) => this.hear(event), alive);
    } catch {
      // Told by `connection`; the next attempt follows below.
    } finally {
      clearTimeout(watchdog);
    }
    if (this.running === control) this.retry();
  }

  private retry(): void {
    this.become("lost");
    const delay = RETRY_MS[Math.min(this.failures, RETRY_MS.length - 1)]!;
    this.failures += 1;
    this.timer = setTimeout(() => this.reopen(), delay);
  }

  private hear({ id, event, data }: ServerEvent): void {
    if (id) this.cursor = id;
    if (event === "resync") this.tell("resync", null);
    else if (event === "record") this.tell("record", JSON.parse(data) as JournalEvent);
    else if (event === "text") this.tell("text", JSON.parse(data) as LiveText);
    else if (event === "job") this.tell("job", JSON.parse(data) as Job);
    else if (event === "load") {
      this.load = JSON.parse(data) as Load;
      this.tell("load", this.load);
    }
  }

  private become(connection: Connection): void {
    const before = this.connection;
    if (before === connection) return;
    this.connection = connection;
    this.tell("connection", connection);
    if (connection === "live" && before !== "connecting") this.tell("back", null);
  }

  private tell<K extends keyof Heard>(kind: K, heard: Heard[K]): void {
    for (const listener of (this.listeners[kind] as Set<Listener<K>> | undefined) ?? []) listener(heard);
  }
}

export const stream = new LiveStream();
