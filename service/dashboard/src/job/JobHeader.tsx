import { useState } from "react";
import { Problem, post } from "../data/api";
import type { Job, Page } from "../data/types";
import { useFetched, useNow, useServiceTime } from "../live";
import { textOf } from "../model/journal/events";
import { isOver } from "../model/journal/graph";
import { shown } from "../model/text/unseen";
import { ago } from "../model/words";
import { CopyButton } from "../parts/CopyButton";
import { Link } from "../parts/Link";
import { ProblemNote, Status } from "../parts/small";
import { Details } from "./Details";
import { useJob } from "./JobContext";

const SHORT = 180;
const WAIT_SECONDS = 3;

export function JobHeader() {
  const { id, graph, job } = useJob();
  const now = useNow();
  const [open, setOpen] = useState(false);
  const spec = graph.spec;
  const question = job?.question ?? textOf(spec?.messages.at(-1)?.parts ?? []);
  const isLong = question.length > SHORT;
  const parent = spec?.lineage?.job;
  return (
    <header className="job-header">
      <div className="row spread">
        <div className="row job-facts">
          <Status of={graph.status} />
          <Link href={`/policies/${spec?.policy ?? ""}`}>{spec?.policy}</Link>
          <code className="faint">{id}</code>
          <time className="faint" dateTime={new Date(graph.submittedAt * 1000).toISOString()}>
            {ago(new Date(graph.submittedAt * 1000).toISOString(), now)}
          </time>
          {typeof parent === "string" && (
            <span className="faint">
              re-run of <Link href={`/jobs/${parent}`}>{parent.slice(0, 8)}…</Link>, edited at{" "}
              {String(spec?.lineage?.branch ?? "")}
            </span>
          )}
        </div>
        <Actions />
      </div>
      <Waiting />
      <h1 className="text">
        {isLong && !open
          ? `${shown(question.slice(0, SHORT).replace(/\s+\S*$/, ""))}… `
          : `${shown(question)} `}
        {isLong && (
          <button type="button" className="link-button small" onClick={() => setOpen(!open)}>
            {open ? "less" : "more"}
          </button>
        )}
      </h1>
      <Details />
    </header>
  );
}

/** What the job's branches wait for where a pool has no replica yet; asked anew every few seconds. */
function Waiting() {
  const { id, graph } = useJob();
  const round = Math.floor(useServiceTime(WAIT_SECONDS) / WAIT_SECONDS);
  const path = isOver(graph.status) ? null : `/v1/jobs/${id}`;
  const waits = useFetched<Job>(path, String(round)).value?.waiting_for;
  return waits ? (
    <p className="faint" role="status">
      {waits}
    </p>
  ) : null;
}

function Actions() {
  const { id, graph } = useJob();
  const formats = useFetched<Page<{ name: string; title: string }>>("/v1/exports").value?.items ?? [];
  const [problem, setProblem] = useState<Problem | null>(null);
  const [asked, setAsked] = useState(false);
  const cancel = async (): Promise<void> => {
    setAsked(true);
    try {
      await post(`/v1/jobs/${id}/cancel`);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      setAsked(false);
      setProblem(error);
    }
  };
  return (
    <div className="row">
      {problem && <ProblemNote problem={problem} />}
      {!isOver(graph.status) && (
        <button
          type="button"
          className="button danger small-button"
          disabled={asked}
          onClick={() => void cancel()}
        >
          {asked ? "Cancelling…" : "Cancel"}
        </button>
      )}
      <Link
        className="button small-button"
        href={`/submit?from=${id}`}
        title="A new job like this one, with edits"
      >
        Run again…
      </Link>
      <Link className="button small-button" href={`/compare?a=${id}`}>
        Compare
      </Link>
      <CopyButton label="Copy link" text={() => window.location.href} />
      <details className="menu">
        <summary className="button small-button">Export</summary>
        <ul>
          {formats.map(({ name, title }) => (
            <li key={name}>
              <a href={`/v1/jobs/${id}/export?format=${name}`} download={`${id}.${name}`} title={title}>
                {name}
              </a>
            </li>
          ))}
        </ul>
      </details>
    </div>
  );
}
