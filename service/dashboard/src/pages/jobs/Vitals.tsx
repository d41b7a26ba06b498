import type { Job } from "../../data/types";
import { useLoad } from "../../live";
import { Sparkline } from "../../parts/Sparkline";

/** How the service is doing: the queue, the pool, how long jobs take. */
export function Vitals({ jobs }: { jobs: readonly Job[] }) {
  const load = useLoad();
  const durations = jobs
    .filter((job) => job.finished_at && job.metrics)
    .slice(0, 50)
    .map((job) => job.metrics!.wall_seconds)
    .reverse();
  return (
    <dl className="vitals">
      {durations.length > 1 && (
        <div>
          <dt>Latency</dt>
          <dd>
            <Sparkline values={durations} />
          </dd>
        </div>
      )}
      {load && (
        <>
          <div>
            <dt>Queued</dt>
            <dd className="number big">{load.queued}</dd>
          </div>
          <div>
            <dt>Running</dt>
            <dd className="number big">{load.running}</dd>
          </div>
          <div className="pool">
            <dt>
              Pool · {load.replicas} {load.replicas === 1 ? "replica" : "replicas"}
            </dt>
            <dd>
              <meter
                aria-label={`${load.decoding} of ${load.capacity} places in the pool are decoding`}
                min={0}
                max={Math.max(1, load.capacity)}
                value={load.decoding}
              />
              <span className="number">
                {load.decoding} / {load.capacity}
              </span>
            </dd>
          </div>
          {Object.entries(load.pools ?? {}).length > 1 &&
            Object.entries(load.pools ?? {}).map(([name, pool]) => (
              <div key={name}>
                <dt>{name}</dt>
                <dd className="number">
                  {pool.replicas === 0
                    ? `no replica, ${pool.waiting} wait`
                    : `${pool.decoding} / ${pool.capacity}`}
                </dd>
              </div>
            ))}
        </>
      )}
    </dl>
  );
}
