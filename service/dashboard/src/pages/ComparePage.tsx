import { useVirtualizer } from "@tanstack/react-virtual";
import { type FormEvent, useMemo, useRef, useState } from "react";
import { useFeed } from "../live";
import { type Pair, pairs } from "../model/analysis/compare";
import { type Metrics, measure } from "../model/analysis/metrics";
import type { ReasoningGraph } from "../model/journal/graph";
import { against, percent, seconds, times, tokens } from "../model/words";
import { Calls } from "../parts/Calls";
import { Link } from "../parts/Link";
import { Prose } from "../parts/LongText";
import { MiniGraph } from "../parts/MiniGraph";
import { ProblemNote, Status } from "../parts/small";
import { changeQuery, jobAddress, navigate, usePlace } from "../router";
import { Parting } from "./compare/Parting";

/** Two jobs: what they cost, what they answered, and where their branches part. */
export default function ComparePage() {
  const { query } = usePlace();
  const a = query.get("a") ?? "";
  const b = query.get("b") ?? "";
  return (
    <div className="stack">
      <h1>Compare two jobs</h1>
      <Choice a={a} b={b} />
      {a && b && <Comparison key={`${a} ${b}`} a={a} b={b} />}
    </div>
  );
}

/** A job's id, also out of a pasted link to it. */
function idIn(text: string): string {
  return /jobs\/([^/?#]+)/.exec(text)?.[1] ?? text.trim();
}

function Choice({ a, b }: { a: string; b: string }) {
  const [left, setLeft] = useState(a);
  const [right, setRight] = useState(b);
  const show = (event: FormEvent): void => {
    event.preventDefault();
    changeQuery({ a: idIn(left), b: idIn(right) });
  };
  return (
    <form className="compare-choice" onSubmit={show}>
      <input
        aria-label="First job"
        placeholder="Id of, or link to, the first job"
        value={left}
        onChange={(event) => setLeft(event.target.value)}
      />
      <input
        aria-label="Second job"
        placeholder="… the second job"
        value={right}
        onChange={(event) => setRight(event.target.value)}
      />
      <button type="submit" className="button primary">
        Compare
      </button>
    </form>
  );
}

function Comparison({ a, b }: { a: string; b: string }) {
  const left = useFeed(a);
  const right = useFeed(b);
  const found = useMemo(
    () => pairs(left.feed.graph, right.feed.graph),
    [left.feed, left.version, right.feed, right.version],
  );
  const metrics = useMemo(
    () => [measure(left.feed.graph), measure(right.feed.graph)] as const,
    [left.feed, left.version, right.feed, right.version],
  );
  const problem = left.feed.problem ?? right.feed.problem;
  if (problem) return <ProblemNote problem={problem} />;
  if (!left.feed.loaded || !right.feed.loaded) return <p className="quiet">Loading…</p>;
  return (
    <>
      <div className="compare-sides">
        <Side id={a} graph={left.feed.graph} metrics={metrics[0]} name="A" />
        <Side id={b} graph={right.feed.graph} metrics={metrics[1]} name="B" />
      </div>
      <Differences a={metrics[0]} b={metrics[1]} />
      <Parting found={found} a={left.feed.graph} b={right.feed.graph} />
      <Branches found={found} a={a} b={b} />
    </>
  );
}

function Side({
  id,
  graph,
  metrics,
  name,
}: {
  id: string;
  graph: ReasoningGraph;
  metrics: Metrics;
  name: string;
}) {
  return (
    <section className="card stack" aria-label={`Job ${name}`}>
      <p className="row">
        <strong>{name}</strong>
        <Status of={graph.status} />
        <span>{graph.spec?.policy}</span>
        <Link href={jobAddress(id)}>
          <code>{id}</code>
        </Link>
      </p>
      <Prose text={graph.answer?.text ?? graph.error?.title ?? "No answer yet."} first={1000} />
      <Calls calls={graph.answer?.calls ?? []} />
      <MiniGraph graph={graph} metrics={metrics} select={(node) => navigate(jobAddress(id, node))} />
    </section>
  );
}

function Differences({ a, b }: { a: Metrics; b: Metrics }) {
  const waste = (of: Metrics): number => of.waste_tokens / Math.max(1, of.total_tokens);
  const rows: [string, number, number, (value: number) => string][] = [
    ["Critical path", a.critical_path_seconds, b.critical_path_seconds, seconds],
    ["Critical path T", a.critical_path_tokens, b.critical_path_tokens, tokens],
    ["Decoded L", a.total_tokens, b.total_tokens, tokens],
    ["Parallel L / T", a.parallelism, b.parallelism, times],
    ["Waste", waste(a), waste(b), percent],
    ["Time", a.wall_seconds, b.wall_seconds, seconds],
    ["Branches", a.branches, b.branches, tokens],
  ];
  return (
    <table className="differences number">
      <thead>
        <tr>
          <th scope="col">Metric</th>
          <th scope="col">A</th>
          <th scope="col">B</th>
          <th scope="col">B against A</th>
        </tr>
      </thead>
      <tbody>
        {rows.map(([name, x, y, write]) => (
          <tr key={name}>
            <th scope="row">{name}</th>
            <td>{write(x)}</td>
            <td>{write(y)}</td>
            <td>{against(x, y)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

const ROW = 30;

function Branches({ found, a, b }: { found: readonly Pair[]; a: string; b: string }) {
  const scroller = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: found.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW,
    overscan: 10,
  });
  const most = found.reduce((size, pair) => Math.max(size, pair.a?.tokens ?? 0, pair.b?.tokens ?? 0), 1);
  const side = (pair: Pair, which: "a" | "b", job: string) => {
    const branch = pair[which];
    if (!branch) return <span className="faint">–</span>;
    return (
      <Link className="compare-bar" href={jobAddress(job, branch.nodes.at(-1))}>
        <i className={branch.status} style={{ width: percent(branch.tokens / most) }} />
        <span>{tokens(branch.tokens)}</span>
      </Link>
    );
  };
  return (
    <section>
      <h2>Branches</h2>
      <div
        className="compare-branches"
        ref={scroller}
        tabIndex={0}
        role="region"
        aria-label="Branches of both jobs"
      >
        <ol className="transcript-all" style={{ height: virtual.getTotalSize() }}>
          {virtual.getVirtualItems().map(({ index, key, start }) => {
            const pair = found[index]!;
            return (
              <li
                key={key}
                className="compare-row number"
                style={{ transform: `translateY(${start}px)`, height: ROW }}
              >
                <code>{pair.path}</code>
                {side(pair, "a", a)}
                {side(pair, "b", b)}
                <span className="faint">
                  {pair.same
                    ? "same text"
                    : pair.a && pair.b
                      ? `${pair.delta > 0 ? "+" : pair.delta < 0 ? "−" : "±"}${tokens(Math.abs(pair.delta))}`
                      : pair.a
                        ? "only A"
                        : "only B"}
                </span>
              </li>
            );
          })}
        </ol>
      </div>
    </section>
  );
}
