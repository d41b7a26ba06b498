/** What all parts of the job page share: the graph as of this render, what follows from it, and what is looked at. */

import { createContext, useContext } from "react";
import type { JobFeed } from "../data/feed";
import type { Job } from "../data/types";
import type { Metrics } from "../model/analysis/metrics";
import type { GraphNode, ReasoningGraph } from "../model/journal/graph";
import type { TimeScale } from "../model/layout/timeScale";
import type { JobView } from "./view";

export interface JobState {
  id: string;
  job: Job | null;
  feed: JobFeed;
  graph: ReasoningGraph;
  /** Grows with every change of the graph, which is changed in place. */
  version: number;
  metrics: Metrics;
  /** The critical path in the measure that is chosen, from the start on, and as a set. */
  path: readonly string[];
  critical: ReadonlySet<string>;
  rows: GraphNode[];
  hits: string[];
  scale: TimeScale;
  view: JobView;
  /** The playhead in Unix seconds; null shows how things stand. */
  moment: number | null;
  /** Put the playhead so many seconds after the submission; null puts it at the end. */
  seek: (seconds: number | null) => void;
  /** The end of what has been, or now while the job runs. */
  now: number;
}

export const JobContext = createContext<JobState | null>(null);

export function useJob(): JobState {
  const state = useContext(JobContext);
  if (!state) throw new Error("outside of a job page");
  return state;
}
