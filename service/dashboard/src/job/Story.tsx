import { useMemo } from "react";
import { explain } from "../model/analysis/explain";
import { isOver } from "../model/journal/graph";
import { shown } from "../model/text/unseen";
import { BranchLink } from "../parts/BranchLink";
import { useJob } from "./JobContext";

/** Why it took the time it took, in words. */
export function Story() {
  const { graph, version, view } = useJob();
  const sentences = useMemo(() => explain(graph, view.measure), [graph, version, view.measure]);
  return (
    <div className="story" role={isOver(graph.status) ? "status" : undefined}>
      {sentences.map((sentence, i) => (
        <p key={i} className={i === 0 ? "story-first" : "quiet"}>
          {sentence.map((part, k) =>
            typeof part === "string" ? (
              shown(part)
            ) : (
              <BranchLink key={k} branch={part.branch} node={graph.branches.get(part.branch)?.nodes.at(-1)} />
            ),
          )}
        </p>
      ))}
    </div>
  );
}
