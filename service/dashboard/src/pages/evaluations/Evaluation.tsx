import { useEffect, useMemo, useState } from "react";
import type { ArmView, DifferenceView, EvaluationView } from "../../data/api.generated";
import { useFetched } from "../../live";
import { COSTS, points } from "../../model/analysis/evaluation";
import { shown } from "../../model/text/unseen";
import { counted, percent, times } from "../../model/words";
import { Link } from "../../parts/Link";
import { ProblemNote } from "../../parts/small";
import { Frontier } from "./Frontier";
import { Matrix } from "./Matrix";
import { useRounds } from "./rounds";

/** One evaluation: its policies, how they differ, each task by each policy. */
export function Evaluation({ run }: { run: string }) {
  const [goesOn, setGoesOn] = useState(true);
  const rounds = useRounds(goesOn);
  const { value, problem, again } = useFetched<EvaluationView>(
    `/v1/evaluations/${encodeURIComponent(run)}`,
    rounds,
  );
  const whole = value ? value.tasks * value.arms.length : 0;
  useEffect(() => {
    document.title = `${run} · Anabranch`;
    if (value) setGoesOn(value.judged < whole);
  }, [run, value, whole]);
  return (
    <div className="stack evaluation">
      <p className="small">
        <Link href="/evaluations">All evaluations</Link>
      </p>
      <h1>{run}</h1>
      {problem && <ProblemNote problem={problem} retry={again} />}
      {value && (
        <>
          <p className="quiet">
            {counted(value.tasks, "task")}, {counted(value.arms.length, "policy", "policies")}; {value.judged}{" "}
            of {whole} trials judged. Every policy has the same questions with the same seeds.
          </p>
          <Frontier evaluation={value} />
          <Arms evaluation={value} />
          <Differences differences={value.differences} />
          <Matrix evaluation={value} />
        </>
      )}
    </div>
  );
}

function Arms({ evaluation }: { evaluation: EvaluationView }) {
  return (
    <section aria-label="Policies">
      <h2>Policies</h2>
      <div className="wide-table">
        <table className="differences number">
          <thead>
            <tr>
              <th scope="col">Policy</th>
              <th scope="col">Right</th>
              <th scope="col">Accuracy</th>
              <th scope="col">95 %</th>
              {COSTS.map(({ name, short, long }) => (
                <th key={name} scope="col" title={`Mean ${long}`}>
                  {short}
                </th>
              ))}
              <th scope="col">L / T</th>
              <th scope="col">Waste</th>
            </tr>
          </thead>
          <tbody>
            {evaluation.reports.map((arm) => (
              <Arm key={arm.arm} arm={arm} evaluation={evaluation} />
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function Arm({ arm, evaluation }: { arm: ArmView; evaluation: EvaluationView }) {
  return (
    <tr>
      <th scope="row">{shown(arm.arm)}</th>
      <td>
        {arm.right} of {arm.trials}
      </td>
      <td>{percent(arm.accuracy)}</td>
      <td>
        <Spread arm={arm} />
      </td>
      {COSTS.map(({ name, long, tell }) => {
        const best = evaluation.frontiers[name]?.includes(arm.arm) && arm[name] > 0;
        return (
          <td
            key={name}
            className={best ? "best" : undefined}
            title={best ? `None beats it for its ${long}` : undefined}
          >
            {tell(arm[name])}
          </td>
        );
      })}
      <td>{times(arm.parallelism)}</td>
      <td>{percent(arm.waste)}</td>
    </tr>
  );
}

/** The interval of an accuracy, drawn on 0 to 100 %. */
function Spread({ arm }: { arm: ArmView }) {
  const { low, high } = arm.interval;
  const words = `${percent(low)} to ${percent(high)}`;
  return (
    <svg className="interval" viewBox="0 0 100 12" role="img" aria-label={words}>
      <title>{words}</title>
      <path d="M0 6h100" className="scale" />
      <path d={`M${100 * low} 6H${100 * high}`} className="range" />
      <circle cx={100 * arm.accuracy} cy="6" r="3" />
    </svg>
  );
}

function Differences({ differences }: { differences: readonly DifferenceView[] }) {
  const rows = useMemo(() => differences.filter((one) => one.pairs > 0), [differences]);
  if (rows.length === 0) return null;
  return (
    <section aria-label="Differences">
      <h2>Against {shown(rows[0]!.baseline)}</h2>
      <div className="wide-table">
        <table className="differences number">
          <thead>
            <tr>
              <th scope="col">Policy</th>
              <th scope="col">Accuracy, points</th>
              <th scope="col">95 %</th>
              <th scope="col">Gained</th>
              <th scope="col">Lost</th>
              <th scope="col" title="McNemar's exact test">
                p
              </th>
              <th scope="col" title="Mean T of the first over this one's">
                T shorter
              </th>
            </tr>
          </thead>
          <tbody>
            {rows.map((one) => (
              <tr key={one.arm}>
                <th scope="row">{shown(one.arm)}</th>
                <td>{points(one.accuracy)}</td>
                <td>
                  {points(one.interval.low)} to {points(one.interval.high)}
                </td>
                <td>{one.gained}</td>
                <td>{one.lost}</td>
                <td>{one.p_value.toPrecision(2)}</td>
                <td>{one.speedup === null ? "" : times(one.speedup)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
