import { BranchLink } from "../parts/BranchLink";
import { useJob } from "./JobContext";

const MOST_SOURCES = 24;

/** The branches that the answer was made from. */
export function Sources() {
  const { graph } = useJob();
  const sources = graph.answer?.sources ?? [];
  if (sources.length === 0) return null;
  return (
    <p className="row small">
      <span className="faint">from</span>
      {sources.slice(0, MOST_SOURCES).map((id) => (
        <BranchLink key={id} branch={id} node={graph.branches.get(id)?.nodes.at(-1)} />
      ))}
      {sources.length > MOST_SOURCES && (
        <span className="faint">and {sources.length - MOST_SOURCES} more</span>
      )}
    </p>
  );
}
