/** The list of jobs: pages from the API, kept current by the stream. */

import { useEffect, useRef, useState } from "react";
import { changed, type JobFilter, merged, soughtBy } from "../model/listing";
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

export function useJobs(filter: JobFilter, sort: string): List & { more: () => void; again: () => void } {
  const [list, setList] = useState<List>(NOTHING);
  const [round, setRound] = useState(0);
  const asked = withQuery("", { ...soughtBy(filter, 0), sort });
  const wanted = useRef({ filter, sort, sought: soughtBy(filter) });
  wanted.current = { ...wanted.current, filter, sort };

  const load = async (cursor: string | null, signal?: AbortSignal): Promise<void> => {
    try {
      const { sought } = wanted.current;
      const page = await get<Page<Job>>(
        withQuery("/v1/jobs", { ...sought, sort, limit: PAGE, cursor }),
        signal,
      );
      setList((old) => ({
        jobs: cursor === null ? page.items : [...old.jobs, ...page.items],
        cursor: page.next_cursor ?? null,
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
    // "The last hour" is the same for all pages of a list.
    wanted.current = { ...wanted.current, sought: soughtBy(filter) };
    setList((old) => ({ ...old, loading: true }));
    void load(null, control.signal);
    return () => control.abort();
  }, [asked, round]);

  useEffect(() => {
    const again = (): void => setRound((n) => n + 1);
    const stops = [
      stream.on("job", (news) =>
        setList((old) => ({
          ...old,
          jobs: wanted.current.sort ? changed(old.jobs, news) : merged(old.jobs, news, wanted.current.filter),
        })),
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
