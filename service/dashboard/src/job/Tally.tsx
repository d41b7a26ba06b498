import { weighed } from "../model/analysis/troubles";
import type { Vote } from "../model/journal/graph";
import { counted, percent } from "../model/words";
import { BranchLink } from "../parts/BranchLink";
import { Shown } from "../parts/Shown";
import { useJob } from "./JobContext";

const MOST_ANSWERS = 6;
const MOST_SUPPORTERS = 12;
const LETTERS = 160;

/** The last vote: what was voted for, how much weight it had, and whose. */
export function LastTally() {
  const { graph } = useJob();
  const vote = graph.votes.at(-1);
  return vote && vote.classes.length > 0 ? <Tally vote={vote} most={MOST_ANSWERS} /> : null;
}

export function Tally({ vote, most = Number.POSITIVE_INFINITY }: { vote: Vote; most?: number }) {
  const { graph } = useJob();
  const ranked = [...vote.classes].sort((a, b) => b.weight - a.weight);
  const heaviest = Math.max(...ranked.map((one) => one.weight), 1e-9);
  const rest = ranked.slice(most);
  return (
    <section className="tally" aria-label="Vote">
      <h3>
        Vote {ranked.map((one) => weighed(one.weight)).join(" : ")}
        {vote.tie && <span className="faint"> tie broken by {vote.tie}</span>}
      </h3>
      <ul>
        {ranked.slice(0, most).map((one) => (
          <li key={one.answer} className={one.answer === vote.winner ? "winner" : undefined}>
            <span className="number">{weighed(one.weight)}</span>
            <span className="tally-bar" aria-hidden="true">
              <i style={{ width: percent(one.weight / heaviest) }} />
            </span>
            <span className="tally-answer text" dir="auto">
              <Shown text={one.answer.slice(0, LETTERS)} />
              {one.answer.length > LETTERS && "…"}
            </span>
            <span className="row">
              {one.branches.slice(0, MOST_SUPPORTERS).map((id) => (
                <BranchLink key={id} branch={id} node={graph.branches.get(id)?.nodes.at(-1)} />
              ))}
              {one.branches.length > MOST_SUPPORTERS && (
                <span className="faint">and {one.branches.length - MOST_SUPPORTERS} more</span>
              )}
            </span>
          </li>
        ))}
      </ul>
      {rest.length > 0 && (
        <p className="faint small">
          {counted(rest.length, "other answer")}, {weighed(rest.reduce((sum, one) => sum + one.weight, 0))} in
          all.
        </p>
      )}
      {vote.abstained.length > 0 && (
        <p className="row faint small">
          no answer found in
          {vote.abstained.slice(0, MOST_SUPPORTERS).map((id) => (
            <BranchLink key={id} branch={id} node={graph.branches.get(id)?.nodes.at(-1)} />
          ))}
          {vote.abstained.length > MOST_SUPPORTERS && `and ${vote.abstained.length - MOST_SUPPORTERS} more`}
        </p>
      )}
    </section>
  );
}
