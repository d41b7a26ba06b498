import { useEffect, useRef, useState } from "react";
import { type JobFilter, useJobs } from "../data/jobs";
import type { Job, Page, PolicyInfo } from "../data/types";
import { useKeys } from "../keys";
import { useFetched, useLoad, useNow } from "../live";
import { ago, seconds, times, tokens } from "../model/words";
import { Link } from "../parts/Link";
import { Sparkline } from "../parts/Sparkline";
import { Empty, Gauge, ProblemNote, Status } from "../parts/small";
import { changeQuery, jobAddress, navigate, usePlace } from "../router";

const STATUSES = ["queued", "running", "waiting", "succeeded", "failed", "cancelled"];
const SPANS: [string, number][] = [
  ["any time", 0],
  ["last 15 min", 900],
  ["last hour", 3600],
  ["last day", 86_400],
  ["last week", 604_800],
];

export function JobsPage() {
  const { query } = usePlace();
  const filter: JobFilter = {
    status: query.get("status") ?? "",
    policy: query.get("policy") ?? "",
    q: query.get("q") ?? "",
    within: Number(query.get("within") ?? 0),
  };
  const { jobs, cursor, problem, loading, more, again } = useJobs(filter);
  const now = useNow();
  const list = useRef<HTMLUListElement>(null);
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
  const isFiltered = filter.status !== "" || filter.policy !== "" || filter.q !== "" || filter.within > 0;
  return (
    <div className="stack">
      <div className="jobs-head">
        <h1>Jobs</h1>
        <Vitals jobs={jobs} />
      </div>
      <Filters filter={filter} />
      {problem && <ProblemNote problem={problem} retry={again} />}
      {jobs.length > 0 && (
        <ul className="jobs" ref={list} aria-label="Jobs, newest first" aria-busy={loading}>
          {jobs.map((job) => (
            <JobRow key={job.id} job={job} now={now} />
          ))}
        </ul>
      )}
      {jobs.length === 0 &&
        !problem &&
        (loading ? <Empty>Loading…</Empty> : <NoJobs isFiltered={isFiltered} />)}
      {cursor && (
        <div>
          <button type="button" className="button" onClick={more}>
            Older jobs
          </button>
        </div>
      )}
    </div>
  );
}

function NoJobs({ isFiltered }: { isFiltered: boolean }) {
  if (isFiltered) {
    return (
      <Empty>
        No job fits. <Link href="/jobs">Show all</Link>
      </Empty>
    );
  }
  return (
    <Empty>
      <p>No job yet.</p>
      <p>
        <Link href="/submit">Submit the first one</Link>, or run <code>anabranch run "…"</code>.
      </p>
    </Empty>
  );
}

function JobRow({ job, now }: { job: Job; now: number }) {
  const metrics = job.metrics;
  const outcome = job.answer?.text ?? job.error?.title ?? "";
  return (
    <li>
      <Link className="job-row" href={jobAddress(job.id)}>
        <span className="job-status">
          <Status of={job.status} />
        </span>
        <span className="job-text">
          <span className="job-question">{job.question.slice(0, 300)}</span>
          {outcome && (
            <span className={job.error ? "job-answer wrong" : "job-answer"}>{outcome.slice(0, 300)}</span>
          )}
        </span>
        <span className="job-policy">{job.policy.name}</span>
        <span className="job-tokens number">
          {metrics && metrics.total_tokens > 0 && (
            <>
              <Gauge
                critical={metrics.critical_path_tokens}
                total={metrics.total_tokens}
                waste={metrics.waste_tokens}
              />
              <span className="faint">
                {tokens(metrics.total_tokens)} tok · {times(metrics.parallelism)}
              </span>
            </>
          )}
        </span>
        <span className="job-wall number">
          {metrics && job.finished_at ? seconds(metrics.wall_seconds) : ""}
        </span>
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

function Filters({ filter }: { filter: JobFilter }) {
  const policies = useFetched<Page<PolicyInfo>>("/v1/policies").value?.items ?? [];
  const [text, setText] = useState(filter.q);
  useEffect(() => setText(filter.q), [filter.q]);
  useEffect(() => {
    const timer = setTimeout(() => text !== filter.q && changeQuery({ q: text }, { replace: true }), 250);
    return () => clearTimeout(timer);
  }, [text, filter.q]);
  return (
    <div className="filters" role="search">
      <input
        id="find-jobs"
        type="search"
        placeholder="Search questions"
        aria-label="Search questions"
        value={text}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={(event) => event.key === "Escape" && event.currentTarget.blur()}
      />
      <select
        aria-label="Status"
        value={filter.status}
        onChange={(event) => changeQuery({ status: event.target.value })}
      >
        <option value="">any status</option>
        {STATUSES.map((status) => (
          <option key={status}>{status}</option>
        ))}
      </select>
      <select
        aria-label="Policy"
        value={filter.policy}
        onChange={(event) => changeQuery({ policy: event.target.value })}
      >
        <option value="">any policy</option>
        {policies.map(({ name }) => (
          <option key={name}>{name}</option>
        ))}
      </select>
      <select
        aria-label="Time"
        value={String(filter.within)}
        onChange={(event) => changeQuery({ within: event.target.value === "0" ? null : event.target.value })}
      >
        {SPANS.map(([name, span]) => (
          <option key={span} value={span}>
            {name}
          </option>
        ))}
      </select>
      {(filter.q || filter.status || filter.policy || filter.within > 0) && (
        <button type="button" className="button plain" onClick={() => navigate("/jobs")}>
          Clear
        </button>
      )}
    </div>
  );
}

/** How the service is doing: the queue, the pool, how long jobs take. */
function Vitals({ jobs }: { jobs: readonly Job[] }) {
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
        </>
      )}
    </dl>
  );
}
