import { useMemo } from "react";
import { useDraftsVersion } from "../live";
import { spending } from "../model/analysis/causes";
import { isOver, type ReasoningGraph } from "../model/journal/graph";
import { money, percent, seconds, times, tokens } from "../model/words";
import { Gauge } from "../parts/small";
import { useJob } from "./JobContext";

/** T, L, P and what else says how parallel and how dear the job was. */
export function MetricsStrip() {
  const { feed, graph, metrics, now, version } = useJob();
  const drafted = useDraftsVersion(feed.drafts, 2);
  const decoded = metrics.total_tokens + (isOver(graph.status) ? 0 : feed.drafts.tokens);
  const spent = useMemo(() => spending(graph), [graph, version, drafted]);
  const isFinished = isOver(graph.status);
  const wall = isFinished ? metrics.wall_seconds : graph.startedAt === null ? 0 : now - graph.startedAt;
  const cells: [string, string, string][] = [
    [
      "Critical path",
      seconds(metrics.critical_path_seconds),
      "Seconds of work on the longest dependent chain",
    ],
    [
      "Critical T",
      tokens(metrics.critical_path_tokens),
      "Decoded tokens on the dependent chain that has most of them",
    ],
    ["Decoded L", metrics.counted + tokens(decoded), "All decoded tokens, in every branch"],
    ["Parallel", times(metrics.parallelism), "Parallelism, L / T"],
    [
      "Waste",
      percent(metrics.waste_tokens / Math.max(1, metrics.total_tokens)),
      "Tokens that no answer used",
    ],
    ["Time", seconds(wall), "From claim to answer"],
    ["Claim wait", seconds(metrics.queue_seconds), "From the submission until an organizer claimed the job"],
    ["Pool queue", seconds(spent.pool), "Waiting for a place in the pool, on the way to the answer"],
    ["Branches", tokens(metrics.branches), "Trunk included"],
    ["Cost", costOf(graph) > 0 ? money(costOf(graph)) : "–", "By the operator’s price table"],
  ];
  return (
    <section className="metrics" aria-label="Metrics">
      <dl>
        {cells.map(([name, value, meaning]) => (
          <div key={name} title={meaning}>
            <dt>{name}</dt>
            <dd className="number">{value}</dd>
          </div>
        ))}
      </dl>
      <Gauge
        critical={metrics.critical_path_tokens}
        total={metrics.total_tokens}
        waste={metrics.waste_tokens}
      />
    </section>
  );
}

function costOf(graph: ReasoningGraph): number {
  let sum = 0;
  for (const branch of graph.branches.values()) sum += branch.cost;
  return sum;
}
