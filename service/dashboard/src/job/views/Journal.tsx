import { useVirtualizer } from "@tanstack/react-virtual";
import { useRef, useState } from "react";
import type { JournalEvent } from "../../model/journal/events";
import { shown } from "../../model/text/unseen";
import { clock } from "../../model/words";
import { BranchLink } from "../../parts/BranchLink";
import { LongText } from "../../parts/LongText";
import { useJob } from "../JobContext";

const PREVIEW = 160;

/** The events as they stand in the journal: the truth that every other view is a fold of. */
export function Journal() {
  const { feed, graph, view } = useJob();
  const scroller = useRef<HTMLDivElement>(null);
  const [open, setOpen] = useState<ReadonlySet<number>>(new Set());
  const wanted = view.find.trim().toLowerCase();
  const events =
    wanted === "" ? feed.events : feed.events.filter((event) => textOf(event).toLowerCase().includes(wanted));
  const virtual = useVirtualizer({
    count: events.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => 30,
    getItemKey: (index) => events[index]!.seq,
    overscan: 10,
  });
  const toggle = (seq: number): void => {
    const next = new Set(open);
    if (!next.delete(seq)) next.add(seq);
    setOpen(next);
  };
  return (
    <div className="journal" ref={scroller} tabIndex={0} role="region" aria-label="Journal">
      <ol className="transcript-all" style={{ height: virtual.getTotalSize() }}>
        {virtual.getVirtualItems().map(({ index, key, start }) => {
          const event = events[index]!;
          const isOpen = open.has(event.seq);
          return (
            <li
              key={key}
              ref={virtual.measureElement}
              data-index={index}
              style={{ transform: `translateY(${start}px)` }}
            >
              <div className="event">
                <span className="faint number">{event.seq}</span>
                <time className="faint number">
                  {clock(Math.max(0, Date.parse(event.at) / 1000 - graph.submittedAt))}
                </time>
                <button
                  type="button"
                  className="link-button"
                  aria-expanded={isOpen}
                  onClick={() => toggle(event.seq)}
                >
                  {event.kind}
                </button>
                <BranchLink branch={event.branch} />
                {!isOpen && (
                  <code className="event-preview faint">
                    {shown(JSON.stringify(event.payload).slice(0, PREVIEW))}
                  </code>
                )}
              </div>
              {isOpen && (
                <div className="event-payload">
                  <LongText
                    text={JSON.stringify(event.payload, null, 2)}
                    mono
                    first={2000}
                    find={view.find}
                  />
                </div>
              )}
            </li>
          );
        })}
      </ol>
    </div>
  );
}

function textOf(event: JournalEvent): string {
  return `${event.kind} ${event.branch} ${JSON.stringify(event.payload)}`;
}
