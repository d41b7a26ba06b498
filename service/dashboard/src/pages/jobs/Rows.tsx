import type { Job } from "../../data/types";
import { useNow } from "../../live";
import { JobRow } from "./JobRow";

export interface RowsProps {
  jobs: readonly Job[];
  columns: readonly string[];
  chosen: ReadonlySet<string> | null;
  choose: (chosen: ReadonlySet<string>) => void;
  loading: boolean;
  name: string;
}

export function Rows({ jobs, columns, chosen, choose, loading, name }: RowsProps) {
  const now = useNow();
  const select = (id: string, on: boolean): void => {
    const next = new Set(chosen);
    if (on) next.add(id);
    else next.delete(id);
    choose(next);
  };
  return (
    <ul className="jobs" aria-label={name} aria-busy={loading}>
      {jobs.map((job) => (
        <JobRow
          key={job.id}
          job={job}
          now={now}
          columns={columns}
          selected={chosen === null ? null : chosen.has(job.id)}
          select={(on) => select(job.id, on)}
        />
      ))}
    </ul>
  );
}
