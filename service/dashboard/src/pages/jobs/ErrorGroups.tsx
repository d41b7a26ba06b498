import { useState } from "react";
import { withQuery } from "../../data/api";
import type { ErrorGroupList, ErrorGroupView } from "../../data/api.generated";
import type { Job, Page } from "../../data/types";
import { useFetched } from "../../live";
import { type JobFilter, soughtBy } from "../../model/listing";
import { shown } from "../../model/text/unseen";
import { Link } from "../../parts/Link";
import { Empty, ProblemNote } from "../../parts/small";
import { addressWith } from "../../router";
import { Rows, type RowsProps } from "./Rows";

type Props = Omit<RowsProps, "name" | "jobs"> & { filter: JobFilter };
const SHOWN = 20;

/** The failed jobs that the filter leaves, by their error: how often, and which. */
export function ErrorGroups({ filter, ...rows }: Props) {
  const key = JSON.stringify(filter);
  return <Groups key={key} filter={filter} {...rows} />;
}

function Groups({ filter, ...rows }: Props) {
  // "The last hour" is the same for the groups and for what is in them.
  const [sought] = useState(() => soughtBy(filter));
  const { value, problem, again } = useFetched<ErrorGroupList>(withQuery("/v1/jobs/errors", sought));
  if (problem) return <ProblemNote problem={problem} retry={again} />;
  if (value === null) return <Empty>Counting…</Empty>;
  if (value.items.length === 0)
    return (
      <Empty>{value.complete ? "No job here failed." : "None of the newest failed jobs is meant."}</Empty>
    );
  return (
    <>
      {value.items.map((group) => (
        <Group
          key={`${group.type} ${group.title}`}
          group={group}
          first={value.items.length === 1}
          sought={sought}
          {...rows}
        />
      ))}
      {!value.complete && <p className="faint small">Counted among the newest failed jobs.</p>}
    </>
  );
}

type GroupProps = Omit<RowsProps, "name" | "jobs"> & {
  group: ErrorGroupView;
  first: boolean;
  sought: Record<string, string | readonly string[]>;
};

/** One error; its jobs are asked for when it is opened. */
function Group({ group, first, sought, ...rows }: GroupProps) {
  const { type, title, count } = group;
  const [open, setOpen] = useState(first);
  const such = { ...sought, status: "failed", error: type, error_title: title };
  const { value, problem } = useFetched<Page<Job>>(
    open ? withQuery("/v1/jobs", { ...such, limit: SHOWN }) : null,
  );
  return (
    <details className="error-group" open={open} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        <strong className="number">{count} ×</strong> {shown(title)}{" "}
        <code className="faint">{shown(type)}</code>
      </summary>
      {problem && <ProblemNote problem={problem} />}
      {value && <Rows {...rows} jobs={value.items} name={`Jobs that failed: ${title}`} />}
      {count > SHOWN && (
        <p className="small">
          <Link href={addressWith({ group: null, error: type, status: "failed" })}>
            All with the error {shown(type)}
          </Link>
        </p>
      )}
    </details>
  );
}
