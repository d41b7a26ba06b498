import { useState } from "react";
import { download, Problem, post, withQuery } from "../data/api";
import type { Batch, BatchPage } from "../data/types";
import { useFetched, useNow } from "../live";
import { shown } from "../model/text/unseen";
import { ago, counted } from "../model/words";
import { Link } from "../parts/Link";
import { Empty, ProblemNote, Status } from "../parts/small";
import { changeQuery, usePlace } from "../router";
import { useRounds } from "./evaluations/rounds";

const LIVE = ["in_progress", "finalizing", "cancelling"];
/** As the list of jobs tells states. */
const STATES: Record<string, string> = {
  in_progress: "running",
  finalizing: "running",
  cancelling: "running",
  completed: "succeeded",
  cancelled: "cancelled",
  expired: "failed",
};

/** Files of jobs that may take their time: how far each is, its jobs, its results; all of them, or the one of an id. */
export default function BatchesPage({ id }: { id: string }) {
  return id ? <OneBatch key={id} id={id} /> : <Batches />;
}

function OneBatch({ id }: { id: string }) {
  const rounds = useRounds(true);
  const { value, problem, again } = useFetched<Batch>(`/v1/batches/${id}`, rounds);
  return (
    <div className="stack">
      <p className="small">
        <Link href="/batches">All batches</Link>
      </p>
      <h1>Batch</h1>
      {problem && <ProblemNote problem={problem} retry={again} />}
      {value && (
        <ul className="batches" aria-label="The batch">
          <BatchRow batch={value} changed={again} />
        </ul>
      )}
    </div>
  );
}

function Batches() {
  const { query } = usePlace();
  const after = query.get("after");
  const rounds = useRounds(true);
  const { value, problem, again } = useFetched<BatchPage>(withQuery("/v1/batches", { after }), rounds);
  return (
    <div className="stack">
      <h1>Batches</h1>
      <p className="quiet lead">
        Files of jobs that are answered behind all other jobs, within a window of time.
      </p>
      {problem && <ProblemNote problem={problem} retry={again} />}
      {value?.data.length === 0 && (
        <Empty>
          {after ? "No older batch." : "No batch yet."}{" "}
          <code>anabranch batch jobs.jsonl -o results.jsonl</code> makes one of a file.
        </Empty>
      )}
      {value && value.data.length > 0 && (
        <ul className="batches" aria-label="Batches, newest first">
          {value.data.map((batch) => (
            <BatchRow key={batch.id} batch={batch} changed={again} />
          ))}
        </ul>
      )}
      <div className="row">
        {after && (
          <button type="button" className="button" onClick={() => changeQuery({ after: null })}>
            Newest batches
          </button>
        )}
        {value?.has_more && (
          <button type="button" className="button" onClick={() => changeQuery({ after: value.last_id })}>
            Older batches
          </button>
        )}
      </div>
    </div>
  );
}

function BatchRow({ batch, changed }: { batch: Batch; changed: () => void }) {
  const now = useNow();
  const { total, completed, failed } = batch.request_counts;
  const done = completed + failed;
  const told = Object.entries(batch.metadata).map(([key, value]) => `${key}=${value}`);
  const ofBatch = encodeURIComponent(`batch=${batch.id}`);
  return (
    <li className="batch">
      <div className="row">
        <Status of={STATES[batch.status] ?? "running"} label={batch.status.replace("_", " ")} />
        <code className="batch-id">{batch.id}</code>
        <span className="faint small">{ago(new Date(batch.created_at * 1000).toISOString(), now)}</span>
      </div>
      <div className="row">
        <progress aria-label={`Lines of ${batch.id} that have ended`} max={Math.max(1, total)} value={done} />
        <span className="number">
          {done} of {counted(total, "line")}
          {failed > 0 && <span className="wrong">, {failed} failed</span>}
        </span>
        <span className="faint small">
          {batch.endpoint}, window {batch.completion_window}
          {told.length > 0 && ` · ${shown(told.join(" "))}`}
        </span>
      </div>
      <div className="row">
        <Link className="button small-button" href={`/jobs?metadata=${ofBatch}`}>
          Jobs
        </Link>
        {failed > 0 && (
          <Link className="button small-button" href={`/jobs?metadata=${ofBatch}&group=error`}>
            Errors
          </Link>
        )}
        <Results batch={batch} />
        {(batch.status === "in_progress" || batch.status === "finalizing") && (
          <Cancel batch={batch} changed={changed} />
        )}
      </div>
    </li>
  );
}

/** The lines that have ended, in the order of the file. */
function Results({ batch }: { batch: Batch }) {
  const [problem, setProblem] = useState<Problem | null>(null);
  const { completed, failed } = batch.request_counts;
  const save = (): void => {
    setProblem(null);
    download(`/v1/batches/${batch.id}/results`, `${batch.id}.jsonl`).catch((error: unknown) => {
      if (!(error instanceof Problem)) throw error;
      setProblem(error);
    });
  };
  return (
    <>
      <button
        type="button"
        className="button small-button"
        disabled={completed + failed === 0}
        onClick={save}
      >
        {LIVE.includes(batch.status) ? "Results so far" : "Results"}
      </button>
      {problem && <ProblemNote problem={problem} />}
    </>
  );
}

function Cancel({ batch, changed }: { batch: Batch; changed: () => void }) {
  const [sure, setSure] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const cancel = (): void => {
    post(`/v1/batches/${batch.id}/cancel`).then(changed, (error: unknown) => {
      if (!(error instanceof Problem)) throw error;
      setProblem(error);
    });
  };
  return (
    <>
      {sure ? (
        <>
          <button type="button" className="button danger small-button" onClick={cancel}>
            Yes, cancel what has not ended
          </button>
          <button type="button" className="button small-button" onClick={() => setSure(false)}>
            No
          </button>
        </>
      ) : (
        <button type="button" className="button danger small-button" onClick={() => setSure(true)}>
          Cancel
        </button>
      )}
      {problem && <ProblemNote problem={problem} />}
    </>
  );
}
