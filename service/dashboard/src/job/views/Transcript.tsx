import { useVirtualizer } from "@tanstack/react-virtual";
import { useMemo, useRef } from "react";
import { type Entry, transcriptOf } from "../../model/analysis/transcript";
import { shown } from "../../model/text/unseen";
import { clock } from "../../model/words";
import { BranchLink } from "../../parts/BranchLink";
import { LongText, Prose } from "../../parts/LongText";
import { Thoughts } from "../../parts/Thoughts";
import { useJob } from "../JobContext";
import { LiveEntries } from "./LiveEntries";

const MOST_BRANCHES = 12;

/** The journal as a text to read, or only the part of the selected branch. */
export function Transcript() {
  const { feed, graph, version, view, moment } = useJob();
  const scroller = useRef<HTMLDivElement>(null);
  const all = useMemo(() => transcriptOf(feed.events, graph), [feed, graph, version]);
  const wanted = view.find.trim().toLowerCase();
  const entries = all.filter(
    (entry) =>
      (moment === null || entry.at <= moment) &&
      (wanted === "" || `${entry.branch} ${entry.title} ${entry.text}`.toLowerCase().includes(wanted)),
  );
  const virtual = useVirtualizer({
    count: entries.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => 90,
    getItemKey: (index) => entries[index]!.seq,
    overscan: 6,
  });
  return (
    <div className="transcript" ref={scroller} tabIndex={0} role="region" aria-label="Transcript">
      <ol className="transcript-all" style={{ height: virtual.getTotalSize() }}>
        {virtual.getVirtualItems().map(({ index, key, start }) => (
          <li
            key={key}
            ref={virtual.measureElement}
            data-index={index}
            style={{ transform: `translateY(${start}px)` }}
          >
            <EntryView
              entry={entries[index]!}
              origin={graph.submittedAt}
              find={view.find}
              selected={entries[index]!.node === view.node && view.node !== null}
            />
          </li>
        ))}
      </ol>
      <LiveEntries />
      {entries.length === 0 && <p className="faint">Nothing to read.</p>}
    </div>
  );
}

function EntryView({
  entry,
  origin,
  find,
  selected,
}: {
  entry: Entry;
  origin: number;
  find: string;
  selected: boolean;
}) {
  return (
    <article className={`entry ${entry.tone}${selected ? " selected" : ""}`}>
      <header className="row">
        <time className="faint number">{clock(Math.max(0, entry.at - origin))}</time>
        <BranchLink branch={entry.branch} node={entry.node} />
        <span>{shown(entry.title)}</span>
        {entry.branches.slice(0, MOST_BRANCHES).map((id) => (
          <BranchLink key={id} branch={id} />
        ))}
        {entry.branches.length > MOST_BRANCHES && (
          <span className="faint">and {entry.branches.length - MOST_BRANCHES} more</span>
        )}
      </header>
      {entry.inserted && (
        <details>
          <summary className="faint small">written by the runtime before it</summary>
          <LongText text={entry.inserted} first={1200} find={find} />
        </details>
      )}
      <Thoughts text={entry.thought} tokens={entry.thoughtTokens} find={find} />
      {entry.text && <Prose text={entry.text} first={1200} find={find} />}
    </article>
  );
}
