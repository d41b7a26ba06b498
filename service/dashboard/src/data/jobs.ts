/** The list of jobs: pages from the API, kept current by the stream. */

import { useEffect, useRef, useState } from "react";
import { get, Problem, withQuery } from "./api";
import { stream } from "./stream";
import type { Job, Page } from "./types";

export interface JobFilter {
  status: string;
  policy: string;
  q: string;
  /** Only jobs of the last so many seconds; 0 is all. */
  within: number;
}

interface List {
  jobs: Job[];
  cursor: string | null;
  problem: Problem | null;
  loading: boolean;
}

const NOTHING: List = { jobs: [], cursor: null, problem: null, loading: true };
const PAGE = 50;

export function isFresh(job: Job, within: number, now = Date.now()): boolean {
  return within === 0 || Date.parse(job.created_at) >= now - within * 1000;
}

export function fits(job: Job, { status, policy, q, within }: JobFilter): boolean {
  return (
    (status === "" || job.status === status) &&
    (policy === "" || job.policy.name === policy) &&
    (q === "" || job.question.toLowerCase().includes(q.toLowerCase())) &&
    isFresh(job, within)
  );
}

/** A job's news put into the list: changed in place, or first when it is new and fits; out when it no longer fits. */
export function merged(jobs: readonly Job[], news: Job, filter: JobFilter): Job[] {
  const at = jobs.findIndex((job) => job.id === news.id);
  if (at < 0)
    return fits(news, filter) && (jobs.length === 0 || news.created_at >= jobs[0]!.created_at)
      ? [news, ...jobs]
      : [...jobs];
  if (!fits(news, filter)) return jobs.filter((job) => job.id !== news.id);
  return jobs.map((job) => (job.id === news.id ? news : job));
}

export function useJobs(filter: JobFilter): List & { more: () => void; again: () => void } {
  const [list, setList] = useState<List>(NOTHING);
  const [round, setRound] = useState(0);
  const { status, policy, q, within } = filter;
  const wanted = useRef(filter);
  wanted.current = filter;

  const load = async (cursor: string | null, signal?: AbortSignal): Promise<void> => {
    try {
      const page = await get<Page<Job>>(
        withQuery("/v1/jobs", { status, policy, q, limit: PAGE, cursor }),
        signal,
      );
      const fresh = page.items.filter((job) => isFresh(job, within));
      // The list is newest first: once a job is too old, so are all behind it.
      const next = fresh.length < page.items.length ? null : (page.next_cursor ?? null);
      setList((old) => ({
        jobs: cursor === null ? fresh : [...old.jobs, ...fresh],
        cursor: next,
        problem: null,
        loading: false,
      }));
    } catch (error) {
      if (signal?.aborted) return;
      if (!(error instanceof Problem)) throw error;
      setList((old) => ({ ...old, problem: error, loading: false }));
    }
  };

  useEffect(() => {
    const control = new AbortController();
    setList((old) => ({ ...old, loading: true }));
    void load(null, control.signal);
    return () => control.abort();
  }, [status, policy, q, within, round]);

  useEffect(() => {
    const again = (): void => setRound((n) => n + 1);
    const stops = [
      stream.on("job", (news) =>
        setList((old) => ({ ...old, jobs: merged(old.jobs, news, wanted.current) })),
      ),
      stream.on("back", again),
      stream.on("resync", again),
    ];
    return () => {
      for (const stop of stops) stop();
    };
  }, []);

  return { ...list, more: () => void load(list.cursor), again: () => setRound((n) => n + 1) };
}
