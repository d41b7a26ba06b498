import { useEffect, useRef } from "react";
import { gateId } from "../../model/layout/fold";
import { useJob } from "../JobContext";
import { PendingApprovals } from "../PendingApprovals";
import { selectNode } from "../view";
import { BranchPanel } from "./BranchPanel";
import { AnswerPanel, JoinPanel, StartPanel } from "./PointPanels";

/** What is selected, in full. */
export default function Panel() {
  const { view, graph } = useJob();
  const ref = useRef<HTMLElement>(null);
  const id = view.node;
  useEffect(() => {
    // In braces: scrollTo may return a promise, and an effect must not.
    ref.current?.scrollTo(0, 0);
  }, [id]);
  if (id === null) return null;
  const node = graph.nodes.get(id);
  const isGate = graph.approvals.some((approval) => gateId(approval.ordinal) === id);
  const branch = graph.branches.get(node?.branch ?? id.split("/")[0]!);
  return (
    <aside className="panel" ref={ref} aria-label={`Details of ${id}`}>
      <div className="panel-close">
        <button
          type="button"
          className="button plain icon"
          aria-label="Close the details"
          title="Close (Esc)"
          onClick={() => selectNode(null)}
        >
          ✕
        </button>
      </div>
      {isGate && <PendingApprovals />}
      {node?.kind === "start" && <StartPanel />}
      {node?.kind === "answer" && <AnswerPanel />}
      {node?.kind === "join" && <JoinPanel node={node} />}
      {node?.kind !== "start" && node?.kind !== "answer" && node?.kind !== "join" && branch && (
        <BranchPanel key={branch.id} branch={branch} node={node ?? null} />
      )}
      {!node && !branch && !isGate && <p className="quiet">There is no {id} in this job.</p>}
    </aside>
  );
}
