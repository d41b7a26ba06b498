import { useState } from "react";
import { Problem, post } from "../data/api";
import type { ApprovalDetail, WaitingApproval } from "../data/types";
import { useFetched, useNow } from "../live";
import { shown } from "../model/text/unseen";
import { ago, seconds } from "../model/words";
import { jobAddress } from "../router";
import { Asked } from "./Asked";
import { Link } from "./Link";
import { ProblemNote } from "./small";

interface Props {
  approval: WaitingApproval;
  decided: () => void;
  /** In the inbox the card also says which job it is about. */
  withJob?: boolean;
}

/** One gate: what is to be approved, and the three ways to decide. */
export function ApprovalCard({ approval, decided, withJob }: Props) {
  const now = useNow();
  const detail = useFetched<ApprovalDetail>(`/v1/approvals/${approval.id}`).value;
  const [edit, setEdit] = useState<string | null>(null);
  const [reason, setReason] = useState("");
  const [problem, setProblem] = useState<Problem | null>(null);
  const [busy, setBusy] = useState(false);
  const decide = async (decision: "approve" | "edit" | "reject"): Promise<void> => {
    setBusy(true);
    try {
      const body = decision === "edit" ? { decision, edit, reason } : { decision, reason };
      await post(`/v1/approvals/${approval.id}`, body);
      decided();
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      setProblem(error);
      if (error.status === 409) decided();
    }
    setBusy(false);
  };
  return (
    <article className="approval card stack">
      <header className="row spread">
        <h2>Approve the {approval.gate}?</h2>
        <span className="faint small">
          asked {ago(approval.requested_at, now)}
          {approval.timeout ? `; after ${seconds(approval.timeout)}: ${approval.default}` : ""}
        </span>
      </header>
      {withJob && (
        <p>
          <Link href={jobAddress(approval.job)}>{shown(approval.question || approval.job)}</Link>
        </p>
      )}
      {edit === null ? (
        <Asked subject={approval.subject} gate={approval.gate} detail={detail} />
      ) : (
        <textarea
          aria-label="Edited"
          rows={8}
          value={edit}
          onChange={(event) => setEdit(event.target.value)}
        />
      )}
      <input
        aria-label="Reason"
        placeholder="Reason (optional)"
        value={reason}
        onChange={(event) => setReason(event.target.value)}
      />
      {problem && <ProblemNote problem={problem} />}
      <div className="row">
        {edit === null ? (
          <>
            <button
              type="button"
              className="button primary"
              disabled={busy}
              onClick={() => void decide("approve")}
            >
              Approve
            </button>
            <button
              type="button"
              className="button"
              disabled={busy}
              onClick={() => setEdit(approval.subject)}
            >
              Edit…
            </button>
            <button
              type="button"
              className="button danger"
              disabled={busy}
              onClick={() => void decide("reject")}
            >
              Reject
            </button>
          </>
        ) : (
          <>
            <button
              type="button"
              className="button primary"
              disabled={busy || edit === approval.subject}
              onClick={() => void decide("edit")}
            >
              Approve as edited
            </button>
            <button type="button" className="button" onClick={() => setEdit(null)}>
              Back
            </button>
          </>
        )}
      </div>
    </article>
  );
}
