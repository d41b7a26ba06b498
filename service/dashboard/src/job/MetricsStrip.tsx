import { isOver } from "../model/journal/graph";
import { percent, seconds, times, tokens } from "../model/words";
import { Gauge } from "../parts/small";
import { useJob } from "./JobContext";

/** T, L, P and what else says how parallel and how dear the job was. */
export function MetricsStrip() {
  const { graph, job, metrics, now } = useJob();
  const isFinished = isOver(graph.status);
  const wall = isFinished ? metrics.wall_seconds : graph.startedAt === null ? 0 : now - graph.startedAt;
  const cells: [string, string, string][] = [
    [
      "Critical T",
      tokens(metrics.critical_path_tokens),
      "Critical path: decoded tokens on the longest dependent chain",
    ],
    ["Decoded L", tokens(metrics.total_tokens), "All decoded tokens, in every branch"],
    ["Parallel", times(metrics.parallelism), "Parallelism, L / T"],
    [
      "Waste",
      percent(metrics.waste_tokens / Math.max(1, metrics.total_tokens)),
      "Tokens that no answer used",
    ],
    ["Time", seconds(wall), "From claim to answer"],
    ["Queue", seconds(metrics.queue_seconds), "From submission to claim"],
    ["Branches", tokens(metrics.branches), "Trunk included"],
    ["Cost", job && job.usage.cost > 0 ? job.usage.cost.toFixed(4) : "–", "By the operator’s price table"],
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
