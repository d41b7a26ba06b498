import { type KeyboardEvent, useRef } from "react";
import type { Measure } from "../model/analysis/criticalPath";
import { nextHit } from "../model/search";
import { useJob } from "./JobContext";
import { fillWindow, measureBy, openGroups, search, selectNode, showView, VIEWS, type View } from "./view";

const NAMES: Record<View, string> = {
  graph: "Graph",
  waterfall: "Waterfall",
  branches: "Branches",
  transcript: "Transcript",
  journal: "Journal",
};

const MEASURES: readonly Measure[] = ["seconds", "tokens"];

/** Which view, what is searched, how much is folded. */
export function Toolbar() {
  const { view, hits } = useJob();
  const tabs = useRef<HTMLDivElement>(null);
  const turn = (event: KeyboardEvent): void => {
    const by = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (by === 0) return;
    event.preventDefault();
    event.stopPropagation();
    const next = VIEWS[(VIEWS.indexOf(view.view) + by + VIEWS.length) % VIEWS.length]!;
    showView(next);
    tabs.current?.querySelector<HTMLButtonElement>(`#tab-${next}`)?.focus();
  };
  const place = view.node === null ? -1 : hits.indexOf(view.node);
  const jump = (by: 1 | -1): void => {
    const hit = nextHit(hits, view.node, by);
    if (hit) selectNode(hit, { replace: true });
  };
  return (
    <div className="toolbar">
      <div className="tabs" role="tablist" aria-label="View" ref={tabs} onKeyDown={turn}>
        {VIEWS.map((name) => (
          <button
            key={name}
            id={`tab-${name}`}
            type="button"
            role="tab"
            aria-selected={view.view === name}
            aria-controls="view"
            tabIndex={view.view === name ? 0 : -1}
            onClick={() => showView(name)}
          >
            {NAMES[name]}
          </button>
        ))}
      </div>
      {view.view === "graph" && (
        <button
          type="button"
          className="button small-button"
          aria-pressed={view.opened === "all"}
          title="Fold or open wide forks ([ and ])"
          onClick={() => openGroups(view.opened === "all" ? new Set() : "all")}
        >
          All branches
        </button>
      )}
      {(view.view === "graph" || view.view === "waterfall") && (
        <div className="choice" role="group" aria-label="Critical path">
          <span className="faint small" aria-hidden="true">
            critical path by
          </span>
          {MEASURES.map((measure) => (
            <button
              key={measure}
              type="button"
              className="button small-button"
              aria-pressed={view.measure === measure}
              aria-label={`Critical path by ${measure}`}
              title="The longest dependent chain, by seconds of work or by decoded tokens (p)"
              onClick={() => measureBy(measure)}
            >
              {measure}
            </button>
          ))}
        </div>
      )}
      <div className="find" role="search">
        <input
          id="find"
          type="search"
          placeholder="Search in this job  ( / )"
          aria-label="Search in this job"
          value={view.find}
          onChange={(event) => search(event.target.value)}
          onKeyDown={(event) => {
            if (event.key === "Enter") jump(event.shiftKey ? -1 : 1);
            else if (event.key === "Escape") event.currentTarget.blur();
          }}
        />
        {view.find.trim() !== "" && (
          <output className="find-count number" aria-live="polite">
            {hits.length === 0 ? "no hit" : `${place >= 0 ? `${place + 1} of ` : ""}${hits.length}`}
          </output>
        )}
      </div>
      <button
        type="button"
        className="button plain icon small-button"
        aria-pressed={view.full}
        aria-label="Fill the window"
        title="Fill the window (m)"
        onClick={() => fillWindow(!view.full)}
      >
        ⤢
      </button>
    </div>
  );
}
