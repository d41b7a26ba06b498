/** The list of jobs: pages from the API, kept current by the stream. */

import { useEffect, useRef, useState } from "react";
import { isFresh, type JobFilter, merged } from "../model/listing";
import { get, Problem, withQuery } from "./api";
import { stream } from "./stream";
import type { Job, Page } from "./types";

interface List {
  jobs: Job[];
  cursor: string | null;
  problem: Problem | null;
  loading: boolean;
}

const NOTHING: List = { jobs: [], cursor: null, problem: null, loading: true };
const PAGE = 50;

export function useJobs(filter: JobFilter): List & { more: () => void; again: () => void } {
  const [list, setList] = useState<List>(NOTHING);
  const [round, setRound] = useState(0);
  const { within, ...sought } = filter;
  const address = withQuery("/v1/jobs", { ...sought, limit: PAGE });
  const wanted = useRef(filter);
  wanted.current = filter;

  const load = async (cursor: string | null, signal?: AbortSignal): Promise<void> => {
    try {
      const page = await get<Page<Job>>(withQuery("/v1/jobs", { ...sought, limit: PAGE, cursor }), signal);
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
  }, [address, within, round]);

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
