import type { EvaluationView } from "../../data/api.generated";
import { COSTS, frontierOf, type Point, pointsOf } from "../../model/analysis/evaluation";
import { shown } from "../../model/text/unseen";
import { percent } from "../../model/words";
import { changeQuery, usePlace } from "../../router";

const WIDTH = 640;
const HEIGHT = 300;
const LEFT = 46;
const RIGHT = 150;
const TOP = 14;
const BOTTOM = 40;

/** Accuracy against one cost; the frontier is what no policy beats for its cost. */
export function Frontier({ evaluation }: { evaluation: EvaluationView }) {
  const { query } = usePlace();
  const cost = COSTS.find(({ name }) => name === query.get("cost")) ?? COSTS[0]!;
  const points = pointsOf(evaluation, cost);
  if (points.length === 0) return null;
  const most = Math.max(...points.map(({ arm }) => arm[cost.name]));
  const told = points
    .map(({ arm }) => `${arm.arm}: ${percent(arm.accuracy)} at ${cost.tell(arm[cost.name])}`)
    .join("; ");
  return (
    <section className="card" aria-label="Accuracy against cost">
      <div className="row">
        {COSTS.map(({ name, short, long }) => (
          <button
            key={name}
            type="button"
            className="button small-button"
            aria-pressed={name === cost.name}
            title={`Accuracy against ${long}`}
            onClick={() => changeQuery({ cost: name }, { replace: true })}
          >
            {short}
          </button>
        ))}
      </div>
      <svg
        className="frontier"
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        role="img"
        aria-label={`Accuracy. ${told}`}
      >
        {[0, 0.25, 0.5, 0.75, 1].map((share) => (
          <g key={share}>
            <path d={`M${LEFT} ${yOf(share)}H${WIDTH - RIGHT}`} className="scale" />
            <text x={LEFT - 8} y={yOf(share) + 4} textAnchor="end">
              {percent(share)}
            </text>
          </g>
        ))}
        <text x={xOf(0)} y={HEIGHT - 20} textAnchor="middle">
          0
        </text>
        <text x={xOf(1)} y={HEIGHT - 20} textAnchor="middle">
          {cost.tell(most)}
        </text>
        <text x={xOf(0.5)} y={HEIGHT - 6} textAnchor="middle">
          {cost.long}
        </text>
        <path
          className="best-line"
          d={frontierOf(points)
            .map((point, place) => `${place ? "L" : "M"}${xOf(point.x)} ${yOf(point.y)}`)
            .join("")}
        />
        {points.map((point) => (
          <Mark key={point.arm.arm} point={point} />
        ))}
      </svg>
    </section>
  );
}

function Mark({ point: { arm, x, y, best } }: { point: Point }) {
  return (
    <g className={best ? "point best" : "point"}>
      <path d={`M${xOf(x)} ${yOf(arm.interval.low)}V${yOf(arm.interval.high)}`} className="range" />
      <circle cx={xOf(x)} cy={yOf(y)} r={best ? 6 : 4} />
      <text x={xOf(x) + 10} y={yOf(y) + 4}>
        {shown(arm.arm)}
        {best ? " ★" : ""}
      </text>
    </g>
  );
}

function xOf(share: number): number {
  return LEFT + share * (WIDTH - LEFT - RIGHT);
}

function yOf(share: number): number {
  return TOP + (1 - share) * (HEIGHT - TOP - BOTTOM);
}
