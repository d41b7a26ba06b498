import { useMemo, useState } from "react";
import { type Attempt, attemptsOf, type Pair, parting, readText } from "../../model/analysis/compare";
import type { ReasoningGraph } from "../../model/journal/graph";
import { type Change, diff, MOST_LETTERS } from "../../model/text/diff";
import { counted, tokens } from "../../model/words";
import { LongText } from "../../parts/LongText";
import { Shown } from "../../parts/Shown";

const FIRST = 4000;

/** The first branch that wrote something else: what differs in it, word by word, and its attempts apart. */
export function Parting({ found, a, b }: { found: readonly Pair[]; a: ReasoningGraph; b: ReasoningGraph }) {
  const pair = parting(found);
  const different = found.filter((one) => !one.same).map((one) => one.path);
  const [chosen, setChosen] = useState<string | null>(null);
  const path = chosen !== null && different.includes(chosen) ? chosen : pair?.path;
  if (path === undefined) return <p>Both jobs wrote the same text in every branch.</p>;
  return (
    <section className="stack">
      <div className="row">
        <h2>
          {path === pair?.path ? "They part at " : "They differ at "}
          <code>{path}</code>
        </h2>
        {different.length > 1 && (
          <select
            className="fitting"
            aria-label="Branch that differs"
            value={path}
            onChange={(event) => setChosen(event.target.value)}
          >
            {different.map((one) => (
              <option key={one}>{one}</option>
            ))}
          </select>
        )}
      </div>
      <Difference key={path} a={a} b={b} path={path} />
    </section>
  );
}

function Difference({ a, b, path }: { a: ReasoningGraph; b: ReasoningGraph; path: string }) {
  const [before, after] = [readText(a, path), readText(b, path)];
  const changes = useMemo(() => diff(before, after), [before, after]);
  const side = (graph: ReasoningGraph, without: Change["kind"], name: string) => (
    <div className="card stack" role="group" aria-label={`${name} at ${path}`}>
      {graph.branches.has(path) ? (
        <>
          <Marked changes={changes.filter(({ kind }) => kind !== without)} />
          <Broken attempts={attemptsOf(graph, path)} />
        </>
      ) : (
        <span className="faint">There is no such branch here.</span>
      )}
    </div>
  );
  return (
    <>
      <div className="compare-sides">
        {side(a, "new", "A")}
        {side(b, "gone", "B")}
      </div>
      {Math.max(before.length, after.length) > MOST_LETTERS && (
        <p className="faint small">Only the first {tokens(MOST_LETTERS)} letters are compared.</p>
      )}
    </>
  );
}

/** The text with what the other side has not. */
function Marked({ changes }: { changes: readonly Change[] }) {
  const [limit, setLimit] = useState(FIRST);
  let room = limit;
  const seen = changes.flatMap((change) => {
    if (room <= 0) return [];
    const text = change.text.slice(0, room);
    room -= text.length;
    return [{ ...change, text }];
  });
  const all = changes.reduce((sum, { text }) => sum + text.length, 0);
  if (all === 0) return <span className="faint">Nothing was written.</span>;
  return (
    <>
      <div className="text" dir="auto">
        {seen.map(({ kind, text }, i) =>
          kind === "same" ? (
            <Shown key={i} text={text} />
          ) : kind === "gone" ? (
            <del key={i}>
              <Shown text={text} />
            </del>
          ) : (
            <ins key={i}>
              <Shown text={text} />
            </ins>
          ),
        )}
      </div>
      {all > limit && (
        <button type="button" className="link-button" onClick={() => setLimit(limit + 10 * FIRST)}>
          Load more ({tokens(all - limit)} characters left)
        </button>
      )}
    </>
  );
}

/** Attempts that broke off: nobody read them, and they are no part of the difference. */
function Broken({ attempts }: { attempts: readonly Attempt[] }) {
  const broken = attempts.filter(({ broke }) => broke);
  if (broken.length === 0) return null;
  return (
    <details>
      <summary className="faint small">{counted(broken.length, "attempt")} that broke off</summary>
      {broken.map(({ node, attempt, text }) => (
        <div key={node}>
          <p className="faint small">attempt {attempt}</p>
          {text ? <LongText text={text} first={600} /> : <span className="faint">nothing written</span>}
        </div>
      ))}
    </details>
  );
}
