import type { Plan, Subtask } from "../model/plan";
import { Shown } from "./Shown";

const WIDTH = 84;
const HEIGHT = 30;
const RADIUS = 11;

/** A plan to be read: its subtasks with what each waits for, and the same as a picture. */
export function PlanView({ plan }: { plan: Plan }) {
  if (plan.subtasks.length === 0) return <p>No plan: the question is answered directly.</p>;
  return (
    <div className="plan">
      <PlanGraph subtasks={plan.subtasks} />
      <ol>
        {plan.subtasks.map(({ id, question, after }) => (
          <li key={id}>
            <code>
              <Shown text={id} />
            </code>{" "}
            <Shown text={question} />
            {after.length > 0 && (
              <span className="faint small">
                {" "}
                after <Shown text={after.join(", ")} />
              </span>
            )}
          </li>
        ))}
      </ol>
      {plan.synthesis && (
        <p>
          <span className="faint">then</span> <Shown text={plan.synthesis} />
        </p>
      )}
    </div>
  );
}

function PlanGraph({ subtasks }: { subtasks: readonly Subtask[] }) {
  const filled = new Map<number, number>();
  const places = new Map(
    subtasks.map(({ id, column }) => {
      const row = filled.get(column) ?? 0;
      filled.set(column, row + 1);
      return [id, { x: 20 + column * WIDTH, y: 16 + row * HEIGHT }] as const;
    }),
  );
  const width = 40 + Math.max(...filled.keys()) * WIDTH;
  const height = Math.max(...filled.values()) * HEIGHT + 4;
  return (
    <svg
      width={width}
      height={height}
      viewBox={`0 0 ${width} ${height}`}
      role="img"
      aria-label={`The plan as a graph of ${subtasks.length} subtasks; the list below says the same`}
    >
      {subtasks.flatMap(({ id, after }) =>
        after.map((name) => {
          const [from, to] = [places.get(name), places.get(id)];
          if (!from || !to) return null;
          return <line key={`${name}>${id}`} x1={from.x + RADIUS} y1={from.y} x2={to.x - RADIUS} y2={to.y} />;
        }),
      )}
      {subtasks.map(({ id }) => {
        const { x, y } = places.get(id)!;
        return (
          <g key={id}>
            <circle cx={x} cy={y} r={RADIUS} />
            <text x={x} y={y + 3.5}>
              {id.slice(0, 4)}
            </text>
          </g>
        );
      })}
    </svg>
  );
}
