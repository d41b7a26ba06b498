import { useState } from "react";
import { Problem, post } from "../../data/api";
import type { Job } from "../../data/types";
import { counted } from "../../model/words";
import { ProblemNote } from "../../parts/small";

interface Props {
  /** Those that can be selected: they have not ended. */
  live: readonly Job[];
  chosen: ReadonlySet<string>;
  choose: (chosen: ReadonlySet<string>) => void;
}

/** Cancels what is selected, one after the other; what could not be is told, and stays selected. */
export function BulkCancel({ live, chosen, choose }: Props) {
  const [busy, setBusy] = useState(false);
  const [sure, setSure] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const ids = live.map((job) => job.id).filter((id) => chosen.has(id));
  const cancel = async (): Promise<void> => {
    setBusy(true);
    setProblem(null);
    const left = new Set(ids);
    for (const id of ids) {
      try {
        await post(`/v1/jobs/${id}/cancel`);
        left.delete(id);
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        setProblem(error);
      }
      choose(new Set(left));
    }
    setBusy(false);
    setSure(false);
  };
  return (
    <div className="row bulk" role="group" aria-label="Selected jobs">
      <button
        type="button"
        className="button small-button"
        onClick={() => choose(new Set(ids.length < live.length ? live.map((job) => job.id) : []))}
      >
        {ids.length < live.length ? `All ${live.length} that run` : "None"}
      </button>
      {!sure && (
        <button
          type="button"
          className="button danger small-button"
          disabled={ids.length === 0}
          onClick={() => setSure(true)}
        >
          Cancel {counted(ids.length, "job")}
        </button>
      )}
      {sure && (
        <>
          <button
            type="button"
            className="button danger small-button"
            disabled={busy}
            onClick={() => void cancel()}
          >
            {busy ? `Cancelling, ${ids.length} left…` : `Yes, cancel ${counted(ids.length, "job")}`}
          </button>
          <button
            type="button"
            className="button small-button"
            disabled={busy}
            onClick={() => setSure(false)}
          >
            No
          </button>
        </>
      )}
      {problem && <ProblemNote problem={problem} />}
    </div>
  );
}
