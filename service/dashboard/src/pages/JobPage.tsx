import { lazy, Suspense, useEffect } from "react";
import { Answer } from "../job/Answer";
import { JobContext, type JobState } from "../job/JobContext";
import { JobHeader } from "../job/JobHeader";
import { JobKeys } from "../job/JobKeys";
import { MetricsStrip } from "../job/MetricsStrip";
import { PendingApprovals } from "../job/PendingApprovals";
import { Story } from "../job/Story";
import { useJobState } from "../job/state";
import { Toolbar } from "../job/Toolbar";
import { GraphView } from "../job/views/GraphView";
import { Overview } from "../job/views/Overview";
import { WindowProvider } from "../job/views/TimeAxis";
import { Empty, ProblemNote } from "../parts/small";

const Panel = lazy(() => import("../job/panels/Panel"));
const lists = () => import("../job/views/listViews");
const Waterfall = lazy(() => lists().then((views) => ({ default: views.Waterfall })));
const Branches = lazy(() => lists().then((views) => ({ default: views.Branches })));
const Transcript = lazy(() => lists().then((views) => ({ default: views.Transcript })));
const Journal = lazy(() => lists().then((views) => ({ default: views.Journal })));

export function JobPage({ id }: { id: string }) {
  const state = useJobState(id);
  const { feed, graph, job } = state;
  const question = job?.question ?? "";
  useEffect(() => {
    document.title = `${question.slice(0, 60) || "Job"} · Anabranch`;
  }, [question]);
  useEffect(() => {
    const idle = setTimeout(() => {
      void lists();
      void import("../job/panels/Panel");
    }, 1500);
    return () => clearTimeout(idle);
  }, []);
  if (feed.problem && graph.seq === 0) return <ProblemNote problem={feed.problem} />;
  if (graph.seq === 0) return <Empty>Loading…</Empty>;
  return (
    <JobContext value={state}>
      <WindowProvider>
        <JobKeys />
        <JobHeader />
        {feed.problem && <ProblemNote problem={feed.problem} />}
        <div className="job-summary">
          <div className="stack">
            <Story />
            <PendingApprovals />
            <Answer />
          </div>
          <MetricsStrip />
        </div>
        <Workspace state={state} />
      </WindowProvider>
    </JobContext>
  );
}

function Workspace({ state }: { state: JobState }) {
  const { view, node, full } = state.view;
  const hasTime = view === "graph" || view === "waterfall";
  const classes = ["workspace", node !== null && "with-panel", full && "full"];
  return (
    <section className={classes.filter(Boolean).join(" ")} aria-label="Inspection">
      <div className="workspace-main">
        <Toolbar />
        {hasTime && <Overview />}
        <div className="workspace-view" role="tabpanel" id="view" aria-labelledby={`tab-${view}`}>
          {view === "graph" && <GraphView />}
          <Suspense fallback={<p className="quiet">Loading…</p>}>
            {view === "waterfall" && <Waterfall />}
            {view === "branches" && <Branches />}
            {view === "transcript" && <Transcript />}
            {view === "journal" && <Journal />}
          </Suspense>
        </div>
      </div>
      {node !== null && (
        <Suspense fallback={<aside className="panel" aria-label="Details" />}>
          <Panel />
        </Suspense>
      )}
    </section>
  );
}
