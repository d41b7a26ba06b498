import { useMemo } from "react";
import type { EvaluationView, TrialView } from "../../data/api.generated";
import { isRight, rowsOf } from "../../model/analysis/evaluation";
import { shown } from "../../model/text/unseen";
import { counted, percent, tokens } from "../../model/words";
import { Link } from "../../parts/Link";
import { changeQuery, jobAddress, usePlace } from "../../router";

const LETTERS = 160;
const FIRST = 200;

/** Each task by each policy: right or wrong, and the way to its job. */
export function Matrix({ evaluation }: { evaluation: EvaluationView }) {
  const { query } = usePlace();
  const parting = query.get("show") === "differing";
  const every = query.get("all") === "1";
  const rows = useMemo(() => rowsOf(evaluation), [evaluation]);
  const differing = rows.filter((row) => row.parts);
  const wanted = parting ? differing : rows;
  const told = every ? wanted : wanted.slice(0, FIRST);
  return (
    <section aria-label="Tasks">
      <div className="row spread">
        <h2>Tasks</h2>
        <label className="row small">
          <input
            type="checkbox"
            checked={parting}
            onChange={(event) =>
              changeQuery({ show: event.target.checked ? "differing" : null }, { replace: true })
            }
          />
          Only the {tokens(differing.length)} where policies differ
        </label>
      </div>
      <div className="wide-table">
        <table className="differences matrix">
          <thead>
            <tr>
              <th scope="col">Task</th>
              {evaluation.arms.map((arm) => (
                <th key={arm} scope="col" className={query.get("arm") === arm ? "chosen" : undefined}>
                  {shown(arm)}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {told.map((row) => (
              <tr key={row.task}>
                <th scope="row" title={row.answer === null ? undefined : `Right: ${shown(row.answer)}`}>
                  {shown(row.question.slice(0, LETTERS))}
                </th>
                {row.trials.map((trial, place) => (
                  <td key={evaluation.arms[place]}>
                    {trial && <Verdict trial={trial} right={isRight(evaluation, trial)} />}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {told.length < wanted.length && (
        <button type="button" className="button" onClick={() => changeQuery({ all: "1" }, { replace: true })}>
          Show {counted(wanted.length - told.length, "more task")}
        </button>
      )}
    </section>
  );
}

function Verdict({ trial, right }: { trial: TrialView; right: boolean }) {
  const partly = !right && trial.score > 0 && trial.score < 1 ? ` ${percent(trial.score)}` : "";
  const late = !right && trial.score >= 1 ? " late" : "";
  const words = [
    right ? "right" : `wrong${late}${partly}`,
    trial.detail,
    `T ${tokens(trial.critical_path_tokens)}`,
  ];
  return (
    <Link
      className={right ? "verdict right" : "verdict wrong"}
      href={jobAddress(trial.job)}
      title={words.filter(Boolean).map(shown).join("\n")}
      aria-label={`${words[0]}: job of ${shown(trial.task)} by ${shown(trial.arm)}`}
    >
      {right ? "✓" : "✗"}
      {late || partly}
    </Link>
  );
}
