import { useState } from "react";
import { Problem, post } from "../../data/api";
import type { Job } from "../../data/types";
import type { Branch } from "../../model/journal/graph";
import { Dialog } from "../../parts/Dialog";
import { ProblemNote } from "../../parts/small";
import { jobAddress, navigate } from "../../router";
import { useJob } from "../JobContext";

/** A new job in which this branch returned something else. What does not depend on it is not decoded again. */
export function ReRun({ branch, output, close }: { branch: Branch; output: string; close: () => void }) {
  const { id } = useJob();
  const [text, setText] = useState(output);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [busy, setBusy] = useState(false);
  const run = async (): Promise<void> => {
    setBusy(true);
    try {
      const job = await post<Job>(`/v1/jobs/${id}/replay`, { branch: branch.id, output: text });
      navigate(jobAddress(job.id));
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      setProblem(error);
      setBusy(false);
    }
  };
  return (
    <Dialog title={`Re-run from ${branch.id}`} close={close}>
      <form
        className="stack"
        onSubmit={(event) => {
          event.preventDefault();
          void run();
        }}
      >
        <p className="quiet">
          A new job starts in which {branch.id} returned this text. What does not depend on it is taken from
          this job and not decoded again; this job stays as it is.
        </p>
        <textarea
          aria-label={`What ${branch.id} returned`}
          rows={12}
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
        {problem && <ProblemNote problem={problem} />}
        <div className="row">
          <button type="submit" className="button primary" disabled={busy || text === output}>
            Re-run
          </button>
          <button type="button" className="button" onClick={close}>
            Keep as it is
          </button>
        </div>
      </form>
    </Dialog>
  );
}
