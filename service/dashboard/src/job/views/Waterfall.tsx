import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useRef } from "react";
import { useKeys } from "../../keys";
import { useDraft } from "../../live";
import { isWork, spansOf, startOf } from "../../model/analysis/phases";
import { type GraphNode, isBlocked } from "../../model/journal/graph";
import { depthOf } from "../../model/layout/rows";
import { shown } from "../../model/text/unseen";
import { seconds, tokens } from "../../model/words";
import { type JobState, useJob } from "../JobContext";
import { orderBy, selectNode } from "../view";
import { TimeAxis, type TimeWindow, useWindow } from "./TimeAxis";

const ROW = 28;

/** Every node as a row of time: the accessible twin of the graph. */
export function Waterfall() {
  const state = useJob();
  const { rows, view, critical } = state;
  const scroller = useRef<HTMLDivElement>(null);
  const window = useWindow();
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW,
    getItemKey: (index) => rows[index]!.id,
    overscan: 8,
  });
  const selected = view.node === null ? -1 : rows.findIndex((row) => row.id === view.node);
  useEffect(() => {
    if (selected >= 0) virtual.scrollToIndex(selected, { align: "auto" });
  }, [selected]);

  const goTo = (index: number): void => {
    const next = rows[Math.min(rows.length - 1, Math.max(0, index))];
    if (next) selectNode(next.id, { replace: true });
  };
  const page = Math.max(1, Math.floor((scroller.current?.clientHeight ?? ROW) / ROW) - 2);
  const group = "Waterfall";
  useKeys([
    { keys: "ArrowUp", does: "Row above", group, run: () => goTo(selected - 1) },
    { keys: "ArrowDown", does: "Row below", group, run: () => goTo(selected + 1) },
    { keys: "Home", does: "First row", group, run: () => goTo(0) },
    { keys: "End", does: "Last row", group, run: () => goTo(rows.length) },
    { keys: "w", does: "Page up", group, run: () => goTo(selected - page) },
    { keys: "s", does: "Page down", group, run: () => goTo(selected + page) },
    { keys: "a", does: "Earlier", group, run: () => window.shift(-0.2) },
    { keys: "d", does: "Later", group, run: () => window.shift(0.2) },
    { keys: "+", does: "Zoom in", group, run: () => window.zoom(0.6) },
    { keys: "-", does: "Zoom out", group, run: () => window.zoom(1 / 0.6) },
    { keys: "0", does: "All of the time", group, run: window.reset },
  ]);

  const hits = new Set(state.hits);
  const isSearching = view.find.trim() !== "";
  return (
    <div className="waterfall">
      <div className="waterfall-head">
        <div className="waterfall-sort" role="group" aria-label="Order of the rows">
          <button type="button" aria-pressed={view.order === "start"} onClick={() => orderBy("start")}>
            by start
          </button>
          <button type="button" aria-pressed={view.order === "branch"} onClick={() => orderBy("branch")}>
            by branch
          </button>
        </div>
        <TimeAxis window={window} />
      </div>
      <div
        className="waterfall-rows"
        ref={scroller}
        role="listbox"
        tabIndex={0}
        aria-label={`${tokens(rows.length)} nodes by ${view.order}`}
        aria-activedescendant={selected >= 0 ? `row-${rows[selected]!.id}` : undefined}
      >
        <div className="waterfall-all" style={{ height: virtual.getTotalSize() }} role="presentation">
          <Gaps state={state} window={window} />
          {virtual.getVirtualItems().map(({ index, key, start }) => {
            const node = rows[index]!;
            const isDim = isSearching && !hits.has(node.id);
            return (
              <Row
                key={key}
                node={node}
                state={state}
                window={window}
                top={start}
                selected={index === selected}
                critical={critical.has(node.id)}
                hit={isSearching && !isDim}
                dim={isDim}
                index={index}
              />
            );
          })}
          <Playhead state={state} window={window} />
        </div>
      </div>
    </div>
  );
}

interface RowProps {
  node: GraphNode;
  state: JobState;
  window: TimeWindow;
  top: number;
  index: number;
  selected: boolean;
  critical: boolean;
  hit: boolean;
  dim: boolean;
}

function Row({ node, state, window, top, index, selected, critical, hit, dim }: RowProps) {
  const branch = state.graph.branches.get(node.branch);
  const name =
    node.kind === "answer" ? "" : node.kind === "join" ? "join" : branch?.label || branch?.role || "";
  const took = (node.ended ?? state.now) - startOf(node);
  const classes = [
    "waterfall-row",
    critical && "critical",
    hit && "hit",
    dim && "dim",
    `status-${node.status}`,
  ];
  const indent = state.view.order === "branch" ? Math.min(6, depthOf(node.branch)) * 10 : 0;
  return (
    <div
      id={`row-${node.id}`}
      role="option"
      aria-selected={selected}
      aria-setsize={state.rows.length}
      aria-posinset={index + 1}
      className={classes.filter(Boolean).join(" ")}
      style={{ transform: `translateY(${top}px)`, height: ROW }}
      onClick={() => selectNode(node.id)}
    >
      <span className="waterfall-name" style={{ paddingLeft: indent }}>
        <code>{node.id}</code> <span className="quiet">{shown(name)}</span>
      </span>
      <span className="waterfall-tokens number">
        {isWork(node) && (node.ended === null ? <Growing node={node} /> : tokens(node.tokens))}
        {isWork(node) && <span className="visually-hidden"> tokens,</span>}
      </span>
      <span className="waterfall-time" aria-hidden="true">
        <Bars node={node} state={state} window={window} />
      </span>
      <span className="visually-hidden">
        {seconds(Math.max(0, took))}
        {node.status !== "finished" && `, ${isBlocked(node) ? "blocked" : node.status}`}
        {critical && ", on the critical path"}
      </span>
    </div>
  );
}

/** Tokens of a segment that decodes. */
function Growing({ node }: { node: GraphNode }) {
  const { feed, now } = useJob();
  const draft = useDraft(feed.drafts, node.branch, node.ordinal);
  if (!draft) return null;
  return (
    <span title={`last token ${seconds(Math.max(0, now - draft.heardAt))} ago`}>{tokens(draft.tokens)}</span>
  );
}

function Bars({ node, state, window }: { node: GraphNode; state: JobState; window: TimeWindow }) {
  const { moment } = state;
  const spans = spansOf(node, state.now);
  const place = (at: number): number => window.position(at) * 100;
  if (spans.length === 0) {
    const at = place(node.asked);
    return at < -1 || at > 101 ? null : <i className={`point ${node.kind}`} style={{ left: `${at}%` }} />;
  }
  const end = place(spans.at(-1)!.to);
  return (
    <>
      {spans.map(({ phase, from, to }) => {
        const left = Math.max(-2, place(from));
        const right = Math.min(102, place(to));
        if (right < 0 || left > 100) return null;
        const isAhead = moment !== null && from >= moment;
        return (
          <i
            key={phase}
            className={`bar ${phase}${isAhead ? " ahead" : ""}${node.ended === null ? " open" : ""}`}
            style={{ left: `${left}%`, width: `${Math.max(0.12, right - left)}%` }}
          />
        );
      })}
      {end < 92 && (
        <span className="took number" style={{ left: `${Math.max(0, end)}%` }}>
          {seconds(spans.at(-1)!.to - spans[0]!.from)}
        </span>
      )}
    </>
  );
}

function Gaps({ state, window }: { state: JobState; window: TimeWindow }) {
  return state.scale.gaps.map(({ from, to }) => {
    const left = window.position(from) * 100;
    const width = window.position(to) * 100 - left;
    return (
      <div key={from} className="waterfall-gaps" aria-hidden="true">
        <i className="gap" style={{ left: `${left}%`, width: `${width}%` }} />
      </div>
    );
  });
}

function Playhead({ state, window }: { state: JobState; window: TimeWindow }) {
  if (state.moment === null) return null;
  return (
    <div className="waterfall-gaps" aria-hidden="true">
      <i className="playhead" style={{ left: `${window.position(state.moment) * 100}%` }} />
    </div>
  );
}
