import type { Job } from "../../data/types";
import { COLUMNS } from "../../model/listing";
import { shown } from "../../model/text/unseen";
import { ago } from "../../model/words";
import { Link } from "../../parts/Link";
import { Gauge, Status } from "../../parts/small";
import { jobAddress } from "../../router";

const LETTERS = 300;

/** The widths of a row's cells: status, text, the columns that are shown, age. */
export function gridOf(columns: readonly string[]): string {
  const widths = COLUMNS.filter(({ name }) => columns.includes(name)).map(({ width }) => width);
  return ["104px", "minmax(160px, 1fr)", ...widths, "92px"].join(" ");
}

interface Props {
  job: Job;
  now: number;
  columns: readonly string[];
  /** Whether it is selected; null where nothing is being selected. */
  selected: boolean | null;
  select: (on: boolean) => void;
}

export function JobRow({ job, now, columns, selected, select }: Props) {
  const outcome = job.answer?.text ?? job.error?.title ?? "";
  return (
    <li className={selected === null ? undefined : "selecting"}>
      {selected !== null && (
        <input
          type="checkbox"
          aria-label={`Select ${job.question.slice(0, 60)}`}
          checked={selected}
          disabled={job.finished_at !== null}
          onChange={(event) => select(event.target.checked)}
        />
      )}
      <Link className="job-row" href={jobAddress(job.id)} style={{ "--columns": gridOf(columns) } as object}>
        <span className="job-status">
          <Status of={job.status} />
        </span>
        <span className="job-text">
          <span className="job-question">{shown(job.question.slice(0, LETTERS))}</span>
          {outcome && (
            <span className={job.error ? "job-answer wrong" : "job-answer"}>
              {shown(outcome.slice(0, LETTERS))}
            </span>
          )}
        </span>
        {COLUMNS.filter(({ name }) => columns.includes(name)).map(({ name, tell }) => (
          <span key={name} className={`job-${name} number`}>
            {name === "tokens" && job.metrics && job.metrics.total_tokens > 0 && (
              <Gauge
                critical={job.metrics.critical_path_tokens}
                total={job.metrics.total_tokens}
                waste={job.metrics.waste_tokens}
              />
            )}
            <span className={name === "tokens" ? "faint" : undefined}>{shown(tell(job))}</span>
          </span>
        ))}
        <time
          className="job-age faint"
          dateTime={job.created_at}
          title={new Date(job.created_at).toLocaleString()}
        >
          {ago(job.created_at, now)}
        </time>
      </Link>
    </li>
  );
}
