import { useApprovals } from "../live";
import { ApprovalCard } from "../parts/ApprovalCard";
import { Empty, ProblemNote } from "../parts/small";

/** Everything that waits for a person, oldest first. */
export default function ApprovalsPage() {
  const { value, problem, again } = useApprovals();
  const waiting = [...(value?.items ?? [])].sort((a, b) => a.requested_at.localeCompare(b.requested_at));
  return (
    <div className="narrow stack">
      <h1>Approvals</h1>
      {problem && <ProblemNote problem={problem} retry={again} />}
      {waiting.map((approval) => (
        <ApprovalCard key={approval.id} approval={approval} decided={again} withJob />
      ))}
      {value?.next_cursor && <Empty>More are waiting; they come up as these are decided.</Empty>}
      {value && waiting.length === 0 && <Empty>Nothing waits for you.</Empty>}
    </div>
  );
}
