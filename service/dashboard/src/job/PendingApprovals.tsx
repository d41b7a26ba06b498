import { useApprovals } from "../live";
import { ApprovalCard } from "../parts/ApprovalCard";
import { useJob } from "./JobContext";

/** The gates of this job that wait for a person, decided where they are seen. */
export function PendingApprovals() {
  const { id, graph } = useJob();
  const { value, again } = useApprovals();
  const isWaiting = graph.approvals.some((approval) => approval.to === null);
  const mine = value?.items.filter((approval) => approval.job === id) ?? [];
  if (!isWaiting) return null;
  return mine.map((approval) => <ApprovalCard key={approval.id} approval={approval} decided={again} />);
}
