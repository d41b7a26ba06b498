import { useDraft } from "../../live";
import { progressOf } from "../../model/journal/draft";
import type { GraphNode } from "../../model/journal/graph";
import { counted, seconds, tokens } from "../../model/words";
import { BranchLink } from "../../parts/BranchLink";
import { GrowingText } from "../../parts/LongText";
import { useJob } from "../JobContext";

const MOST = 12;

/** What is being written now, branch by branch, at the end of what was. */
export function LiveEntries() {
  const { graph, moment } = useJob();
  if (moment !== null) return null;
  const open = [...graph.nodes.values()].filter((node) => node.kind === "segment" && node.ended === null);
  return (
    <>
      {open.slice(0, MOST).map((node) => (
        <LiveEntry key={node.id} node={node} />
      ))}
      {open.length > MOST && (
        <p className="faint">and {counted(open.length - MOST, "branch")} more that decode.</p>
      )}
    </>
  );
}

function LiveEntry({ node }: { node: GraphNode }) {
  const { feed, now } = useJob();
  const draft = useDraft(feed.drafts, node.branch, node.ordinal);
  const progress = progressOf(draft, now);
  return (
    <article className="entry text live">
      <header className="row">
        <BranchLink branch={node.branch} node={node.id} />
        <span className="number">
          {progress
            ? `decodes: ${tokens(progress.tokens)} tokens, the last ${seconds(progress.age)} ago`
            : `asked for ${seconds(Math.max(0, now - node.asked))} ago, no token yet`}
        </span>
      </header>
      {draft && <GrowingText text={draft.text || draft.thought} />}
    </article>
  );
}
