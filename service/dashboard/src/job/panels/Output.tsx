import type { Branch, GraphNode } from "../../model/journal/graph";
import { counted } from "../../model/words";
import { Calls } from "../../parts/Calls";
import { LongText } from "../../parts/LongText";
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
      {segments.every((one) => one.text === "" && one.calls.length === 0) && (
        <p className="faint">Nothing yet.</p>
      )}
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
          <Thoughts text={one.thought} tokens={one.thoughtTokens} find={view.find} />
          <LongText text={one.text} find={view.find} />
          <Calls calls={one.calls} />
        </div>
      ))}
      {branch.value && !isTold && (
        <>
          <h3>Returned{branch.flags.length > 0 ? ` (${branch.flags.join(", ")})` : ""}</h3>
          <LongText text={branch.value} find={view.find} />
        </>
      )}
    </section>
  );
}
