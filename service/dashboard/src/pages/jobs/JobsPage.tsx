import { useRef, useState } from "react";
import { useJobs } from "../../data/jobs";
import { useKeys } from "../../keys";
import { COLUMNS, filterOf, isFiltered, sortOf } from "../../model/listing";
import { Link } from "../../parts/Link";
import { Empty, ProblemNote } from "../../parts/small";
import { usePlace } from "../../router";
import { BulkCancel } from "./BulkCancel";
import { ErrorGroups } from "./ErrorGroups";
import { Filters } from "./Filters";
import { ListTools } from "./ListTools";
import { Rows } from "./Rows";
import { Vitals } from "./Vitals";
import { useColumns } from "./views";

export default function JobsPage() {
  const { query } = usePlace();
  const filter = filterOf(query);
  const sort = sortOf(query);
  const { jobs, cursor, problem, loading, more, again } = useJobs(filter, sort);
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
          <ErrorGroups filter={filter} {...rows} />
        ) : (
          jobs.length > 0 && <Rows jobs={jobs} {...rows} name={nameOf(sort)} />
        )}
      </div>
      {jobs.length === 0 &&
        !isGrouped &&
        !problem &&
        (loading ? (
          <Empty>Loading…</Empty>
        ) : (
          <NoJobs filtered={isFiltered(filter)} older={cursor !== null} />
        ))}
      {cursor && !isGrouped && (
        <div className="row">
          <button type="button" className="button" onClick={more}>
            {sort ? "More jobs" : "Older jobs"}
          </button>
        </div>
      )}
    </div>
  );
}

function nameOf(sort: string): string {
  const column = COLUMNS.find(({ name }) => name === sort);
  return column ? `Jobs that have ended, by ${column.title.toLowerCase()}` : "Jobs, newest first";
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
