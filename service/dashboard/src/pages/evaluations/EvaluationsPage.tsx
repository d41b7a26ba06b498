import type { EvaluationList } from "../../data/api.generated";
import { useFetched, useNow } from "../../live";
import { shown } from "../../model/text/unseen";
import { ago, counted } from "../../model/words";
import { Link } from "../../parts/Link";
import { Empty, ProblemNote } from "../../parts/small";
import { Evaluation } from "./Evaluation";
import { useRounds } from "./rounds";

/** The evaluations, or one of them. */
export default function EvaluationsPage({ run }: { run: string }) {
  return run ? <Evaluation key={run} run={run} /> : <Evaluations />;
}

function Evaluations() {
  const rounds = useRounds(true);
  const now = useNow();
  const { value, problem, again } = useFetched<EvaluationList>("/v1/evaluations", rounds);
  return (
    <div className="stack">
      <h1>Evaluations</h1>
      <p className="quiet lead">
        Which policy is right how often, at what cost: the same questions with the same seeds for each.
      </p>
      {problem && <ProblemNote problem={problem} retry={again} />}
      {value?.items.length === 0 && (
        <Empty>
          Nothing was compared yet. <code>anabranch eval --demo</code> asks 20 questions of two policies.
        </Empty>
      )}
      {value && value.items.length > 0 && (
        <div className="wide-table">
          <table className="differences evaluations">
            <thead>
              <tr>
                <th scope="col">Evaluation</th>
                <th scope="col">Judged</th>
                <th scope="col">Tasks</th>
                <th scope="col">Policies</th>
                <th scope="col">Begun</th>
              </tr>
            </thead>
            <tbody>
              {value.items.map((one) => (
                <tr key={one.run}>
                  <th scope="row">
                    <Link href={`/evaluations/${one.run}`}>{one.run}</Link>
                  </th>
                  <td className="number">
                    {one.judged} of {one.tasks * one.arms.length}
                  </td>
                  <td className="number">{one.tasks}</td>
                  <td title={one.arms.map(shown).join("\n")}>
                    {counted(one.arms.length, "policy", "policies")}
                  </td>
                  <td className="faint">{ago(one.created_at, now)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </div>
  );
}
