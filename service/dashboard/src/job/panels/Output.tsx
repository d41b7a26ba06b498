import { useDraft } from "../../live";
import type { Branch, GraphNode } from "../../model/journal/graph";
import { counted, seconds } from "../../model/words";
import { Calls } from "../../parts/Calls";
import { GrowingText, LongText, Prose } from "../../parts/LongText";
import { Thoughts } from "../../parts/Thoughts";
import { useJob } from "../JobContext";

/** What it wrote, segment by segment, with what the runtime wrote in between; then what it returned, if that differs. */
export function Output({
  branch,
  segments,
  selected,
}: {
  branch: Branch;
  segments: GraphNode[];
  selected: string | null;
}) {
  const { view } = useJob();
  const isTold =
    segments.some((one) => one.text === branch.value) ||
    segments.map((one) => one.text).join("") === branch.value;
  return (
    <section>
      <h3>Output{segments.length > 1 ? ` of ${segments.length} segments` : ""}</h3>
      {segments.length === 0 && <p className="faint">Nothing yet.</p>}
      {segments.map((one) => (
        <div
          key={one.id}
          className={`written${one.id === selected && segments.length > 1 ? " selected" : ""}`}
        >
          {one.inserted && one.ordinal > 1 && (
            <details>
              <summary className="faint small">
                {counted(one.inserted.length, "character")} written by the runtime
              </summary>
              <LongText text={one.inserted} first={1200} find={view.find} />
            </details>
          )}
          {one.status === "failed" && <p className="wrong small">This attempt broke off; nobody reads it.</p>}
          {one.ended === null ? <Growing node={one} /> : <Written node={one} find={view.find} />}
        </div>
      ))}
      {branch.value && !isTold && (
        <>
          <h3>Returned{branch.flags.length > 0 ? ` (${branch.flags.join(", ")})` : ""}</h3>
          <Prose text={branch.value} find={view.find} />
        </>
      )}
    </section>
  );
}

function Written({ node, find }: { node: GraphNode; find: string }) {
  const isEmpty = node.text === "" && node.thought === "" && node.calls.length === 0;
  if (isEmpty && node.thoughtTokens === 0) return <p className="faint">Nothing was written.</p>;
  return (
    <>
      <Thoughts text={node.thought} tokens={node.thoughtTokens} find={find} />
      <Prose text={node.text} find={find} />
      <Calls calls={node.calls} />
    </>
  );
}

/** What is being written, as it comes. */
function Growing({ node }: { node: GraphNode }) {
  const { feed, now } = useJob();
  const draft = useDraft(feed.drafts, node.branch, node.ordinal);
  if (!draft)
    return <p className="faint">No token yet; asked for {seconds(Math.max(0, now - node.asked))} ago.</p>;
  return (
    <>
      <Thoughts text={draft.thought} tokens={draft.thoughtTokens} live={draft.text === ""} />
      {draft.text && <GrowingText text={draft.text} />}
    </>
  );
}
