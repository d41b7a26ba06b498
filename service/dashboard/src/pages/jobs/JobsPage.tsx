import { useRef, useState } from "react";
import { useJobs } from "../../data/jobs";
import type { Job } from "../../data/types";
import { useKeys } from "../../keys";
import { useNow } from "../../live";
import { errorGroups, filterOf, isFiltered, sorted } from "../../model/listing";
import { shown } from "../../model/text/unseen";
import { counted } from "../../model/words";
import { Link } from "../../parts/Link";
import { Empty, ProblemNote } from "../../parts/small";
import { usePlace } from "../../router";
import { BulkCancel } from "./BulkCancel";
import { Filters } from "./Filters";
import { JobRow } from "./JobRow";
import { ListTools } from "./ListTools";
import { Vitals } from "./Vitals";
import { useColumns } from "./views";

export default function JobsPage() {
  const { query } = usePlace();
  const filter = filterOf(query);
  const { jobs, cursor, problem, loading, more, again } = useJobs(filter);
  const [columns, setColumns] = useColumns();
  const [chosen, setChosen] = useState<ReadonlySet<string> | null>(null);
  const list = useRef<HTMLDivElement>(null);
  const step = (by: number): void => {
    const links = [...(list.current?.querySelectorAll<HTMLAnchorElement>("a.job-row") ?? [])];
    const at = links.indexOf(document.activeElement as HTMLAnchorElement);
    links[Math.min(links.length - 1, Math.max(0, at + by))]?.focus();
  };
  useKeys([
    { keys: "j", does: "Next job", group: "Jobs", run: () => step(1) },
    { keys: "k", does: "Previous job", group: "Jobs", run: () => step(-1) },
    { keys: "/", does: "Search", group: "Jobs", run: () => document.getElementById("find-jobs")?.focus() },
  ]);
  const sort = query.get("sort") ?? "";
  const isGrouped = query.get("group") === "error";
  const rows = { columns, chosen, choose: setChosen, loading };
  return (
    <div className="stack">
      <div className="jobs-head">
        <h1>Jobs</h1>
        <Vitals jobs={jobs} />
      </div>
      <Filters filter={filter} />
      <ListTools
        columns={columns}
        show={setColumns}
        sort={sort}
        grouped={isGrouped}
        selecting={chosen !== null}
        select={(on) => setChosen(on ? new Set() : null)}
      />
      {chosen !== null && (
        <BulkCancel
          live={jobs.filter((job) => job.finished_at === null)}
          chosen={chosen}
          choose={setChosen}
        />
      )}
      {problem && <ProblemNote problem={problem} retry={again} />}
      <div ref={list} className="stack">
        {isGrouped ? (
          <Groups jobs={sorted(jobs, sort)} {...rows} />
        ) : (
          jobs.length > 0 && (
            <Rows jobs={sorted(jobs, sort)} {...rows} name={sort ? "Jobs" : "Jobs, newest first"} />
          )
        )}
      </div>
      {jobs.length === 0 &&
        !problem &&
        (loading ? (
          <Empty>Loading…</Empty>
        ) : (
          <NoJobs filtered={isFiltered(filter)} older={cursor !== null} />
        ))}
      {cursor && (
        <div className="row">
          <button type="button" className="button" onClick={more}>
            Older jobs
          </button>
          {(sort !== "" || isGrouped) && (
            <span className="faint small">of the {counted(jobs.length, "job")} that are loaded</span>
          )}
        </div>
      )}
    </div>
  );
}

interface RowsProps {
  jobs: readonly Job[];
  columns: readonly string[];
  chosen: ReadonlySet<string> | null;
  choose: (chosen: ReadonlySet<string>) => void;
  loading: boolean;
  name: string;
}

function Rows({ jobs, columns, chosen, choose, loading, name }: RowsProps) {
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

/** The failed jobs by their error: how often, and which. */
function Groups(props: Omit<RowsProps, "name">) {
  const groups = errorGroups(props.jobs);
  if (groups.length === 0) return <Empty>None of the {counted(props.jobs.length, "job")} here failed.</Empty>;
  return groups.map(({ type, title, jobs }) => (
    <details key={`${type} ${title}`} className="error-group" open={groups.length === 1}>
      <summary>
        <strong className="number">{jobs.length} ×</strong> {shown(title)}{" "}
        <code className="faint">{shown(type)}</code>
      </summary>
      <p className="small">
        <Link href={`/jobs?error=${encodeURIComponent(type)}`}>All with this error</Link>
      </p>
      <Rows {...props} jobs={jobs} name={`Jobs that failed: ${title}`} />
    </details>
  ));
}

function NoJobs({ filtered, older }: { filtered: boolean; older: boolean }) {
  if (filtered)
    return (
      <Empty>
        {older ? "None of the newest jobs fits; older ones were not looked at yet." : "No job fits."}{" "}
        <Link href="/jobs">Show all</Link>
      </Empty>
    );
  return (
    <Empty>
      <p>No job yet.</p>
      <p>
        <Link href="/submit">Submit the first one</Link>, or run <code>anabranch run "…"</code>.
      </p>
    </Empty>
  );
}
