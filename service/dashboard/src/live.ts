/** The stream as React sees it. */

import { useEffect, useRef, useState, useSyncExternalStore } from "react";
import { get, Problem } from "./data/api";
import type { Drafts } from "./data/drafts";
import { feedOf, type JobFeed } from "./data/feed";
import { type Connection, stream } from "./data/stream";
import type { Load, Page, WaitingApproval } from "./data/types";
import type { Draft } from "./model/journal/draft";

export function useConnection(): Connection {
  return useSyncExternalStore(
    (changed) => stream.on("connection", changed),
    () => stream.connection,
  );
}

export function useLoad(): Load | null {
  return useSyncExternalStore(
    (changed) => stream.on("load", changed),
    () => stream.load,
  );
}

/** The pools without a replica: what waits for one is to be asked anew when they change. */
export function usePoolsAway(): string {
  const pools = Object.entries(useLoad()?.pools ?? {});
  return pools.flatMap(([name, pool]) => (pool.replicas === 0 ? [name] : [])).join(" ");
}

/** The journal of a job, live. The feed is the same object; `version` tells when it has changed. */
export function useFeed(job: string): { feed: JobFeed; version: number } {
  const feed = feedOf(job);
  const version = useSyncExternalStore(feed.subscribe, feed.snapshot);
  return { feed, version };
}

/** What is being decoded of a segment, as it comes; null before anything does, and once the journal has it. */
export function useDraft(drafts: Drafts, branch: string, segment: number): Draft | null {
  return useSyncExternalStore(drafts.subscribe, () => drafts.of(branch, segment));
}

/** Grows when any live text did, but only so many times a second: for what shows all branches at once. */
export function useDraftsVersion(drafts: Drafts, perSecond: number): number {
  const [version, setVersion] = useState(drafts.version);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const stop = drafts.subscribe(() => {
      timer ??= setTimeout(() => {
        timer = undefined;
        setVersion(drafts.version);
      }, 1000 / perSecond);
    });
    return () => {
      clearTimeout(timer);
      stop();
    };
  }, [drafts, perSecond]);
  return version;
}

/** Has live text delivered while this is shown, and wanted. */
export function useLiveText(wanted: boolean): void {
  useEffect(() => (wanted ? stream.read() : undefined), [wanted]);
}

export interface Fetched<T> {
  value: T | null;
  problem: Problem | null;
  again: () => void;
}

/** GET a path, and again when `revision` changes or `again` is called; a value that is there stays until the next one. */
export function useFetched<T>(path: string | null, revision = ""): Fetched<T> {
  const [state, setState] = useState<{ path: string | null; value: T | null; problem: Problem | null }>({
    path: null,
    value: null,
    problem: null,
  });
  const [round, setRound] = useState(0);
  useEffect(() => {
    if (path === null) return;
    const control = new AbortController();
    get<T>(path, control.signal).then(
      (value) => setState({ path, value, problem: null }),
      (error: unknown) => {
        if (error instanceof Problem)
          setState((old) => ({ path, value: old.path === path ? old.value : null, problem: error }));
        else if (!control.signal.aborted) throw error;
      },
    );
    return () => control.abort();
  }, [path, revision, round]);
  const current = state.path === path;
  return {
    value: current ? state.value : null,
    problem: current ? state.problem : null,
    again: () => setRound((n) => n + 1),
  };
}

/** The gates that wait for a person, refreshed when a job begins or ceases to wait. */
export function useApprovals(): Fetched<Page<WaitingApproval>> {
  const fetched = useFetched<Page<WaitingApproval>>("/v1/approvals");
  const { again } = fetched;
  useEffect(() => {
    const waiting = new Set<string>();
    const stops = [
      stream.on("job", (job) => {
        const was = waiting.has(job.id);
        if (job.status === "waiting") waiting.add(job.id);
        else waiting.delete(job.id);
        if (was !== waiting.has(job.id)) again();
      }),
      stream.on("record", (event) => {
        if (event.kind === "ApprovalRequested" || event.kind === "ApprovalDecided") again();
        else if (event.kind === "BranchCancelled" && event.payload.withdrawn?.length) again();
      }),
      stream.on("back", again),
    ];
    return () => {
      for (const stop of stops) stop();
    };
  }, []);
  return fetched;
}

/** The time, in Unix seconds, renewed every so often for "3 min ago". */
export function useNow(everySeconds = 15): number {
  const [now, setNow] = useState(() => Date.now() / 1000);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now() / 1000), everySeconds * 1000);
    return () => clearInterval(timer);
  }, [everySeconds]);
  return now;
}

/** The same, but it stands while the service is away: nobody knows what happens there meanwhile. */
export function useServiceTime(everySeconds: number): number {
  const now = useNow(everySeconds);
  const connection = useConnection();
  const last = useRef(now);
  if (connection !== "lost") last.current = now;
  return last.current;
}
