import type { Branch, GraphNode } from "../model/journal/graph";
import { shown } from "../model/text/unseen";
import { counted, seconds, tokens } from "../model/words";
import { BranchLink } from "../parts/BranchLink";
import { LongText } from "../parts/LongText";
import { useJob } from "./JobContext";

const MOST = 4;

/** Why there is no answer: the error, and each branch that failed with its cause, its attempts, and the way there. */
export function Failure() {
  const { graph } = useJob();
  const { error } = graph;
  if (!error) return null;
  const failed = [...graph.branches.values()].filter((branch) => branch.status === "failed");
  return (
    <section className="outcome failed stack" aria-label="Error">
      <div>
        <strong>{shown(error.title)}</strong>{" "}
        {error.type !== "cancelled" && <code className="faint">{error.type}</code>}
        {error.detail && <LongText text={error.detail} first={600} />}
      </div>
      {failed.slice(0, MOST).map((branch) => (
        <Failed key={branch.id} branch={branch} attempts={attemptsOf(graph.nodes, branch)} />
      ))}
      {failed.length > MOST && (
        <p className="faint small">and {counted(failed.length - MOST, "branch")} more</p>
      )}
    </section>
  );
}

function attemptsOf(nodes: ReadonlyMap<string, GraphNode>, branch: Branch): GraphNode[] {
  return branch.nodes.map((id) => nodes.get(id)!).filter((node) => node.status === "failed");
}

function Failed({ branch, attempts }: { branch: Branch; attempts: readonly GraphNode[] }) {
  return (
    <div className="failed-branch">
      <p>
        <BranchLink branch={branch.id} node={branch.nodes.at(-1)} />{" "}
        <span className="quiet">{shown([branch.role, branch.label].filter(Boolean).join(": "))}</span>{" "}
        {branch.attempts > 1 && <span className="quiet">after {counted(branch.attempts, "attempt")}</span>}
      </p>
      {branch.cause && <LongText text={branch.cause} first={300} />}
      {attempts.length > 0 && (
        <ul className="small number">
          {attempts.map((node) => (
            <li key={node.id}>
              <BranchLink branch={node.id} node={node.id} /> attempt {node.attempt}:{" "}
              {shown(node.fault || node.finish)}, {tokens(node.tokens)} tok in {seconds(node.seconds)}
              {node.replica && <span className="faint"> on {node.replica}</span>}
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
