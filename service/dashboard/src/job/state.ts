/** Everything the job page derives from the journal and the address, computed once per change. */

import { useMemo } from "react";
import type { Job } from "../data/types";
import { useFeed, useFetched, useLiveText, useServiceTime } from "../live";
import { measure } from "../model/analysis/metrics";
import { isWork, spansOf } from "../model/analysis/phases";
import { isOver, type ReasoningGraph } from "../model/journal/graph";
import { rowsOf } from "../model/layout/rows";
import { TimeScale } from "../model/layout/timeScale";
import { search } from "../model/search";
import type { JobState } from "./JobContext";
import { useJobView, usePlayhead } from "./view";

export function useJobState(id: string): JobState {
  const { feed, version } = useFeed(id);
  const { graph } = feed;
  const view = useJobView();
  const [playhead, seek] = usePlayhead();
  const clock = useServiceTime(isOver(graph.status) ? 3600 : 1);
  useLiveText(feed.loaded && !isOver(graph.status));
  // Behind the journal, which has all that is shown first.
  const job = useFetched<Job>(feed.loaded ? `/v1/jobs/${id}` : null, graph.status).value;
  const isFinished = isOver(graph.status);
  // A clock that differs from the server's must not draw bars that end before they begin.
  const now = isFinished ? Math.max(graph.endedAt ?? 0, graph.lastAt) : Math.max(graph.lastAt, clock);

  const derived = useMemo(() => {
    const metrics = measure(graph);
    const path = view.measure === "tokens" ? metrics.critical_by_tokens : metrics.critical_by_seconds;
    return { metrics, path, critical: new Set(path) };
  }, [graph, version, view.measure]);
  const rows = useMemo(() => rowsOf(graph, view.order), [graph, version, view.order]);
  const hits = useMemo(() => search(graph, rows, view.find), [graph, rows, view.find]);
  const scale = useMemo(() => scaleOf(graph, now), [graph, version, now]);
  const moment = isFinished && playhead !== null ? graph.submittedAt + playhead : null;
  return { id, job, feed, graph, version, ...derived, rows, hits, scale, view, moment, seek, now };
}

function scaleOf(graph: ReasoningGraph, now: number): TimeScale {
  const busy = [];
  for (const node of graph.nodes.values()) {
    const spans = isWork(node) ? spansOf(node, now) : [];
    if (spans.length > 0) busy.push({ from: spans[0]!.from, to: spans.at(-1)!.to });
  }
  return new TimeScale(busy, graph.submittedAt, now);
}
