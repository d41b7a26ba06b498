import { useState } from "react";
import { Problem, post } from "../data/api";
import type { FeedbackList, FeedbackView } from "../data/api.generated";
import { useFetched } from "../live";
import { isOver } from "../model/journal/graph";
import { ProblemNote } from "../parts/small";
import { useJob } from "./JobContext";

const THUMBS = [
  { score: 1, sign: "good", does: "A good answer" },
  { score: 0, sign: "bad", does: "A bad answer" },
];

/** Words, not signs, which some machines cannot draw, for the answer of a job that has ended: rewards of its samples for training. */
export function Rating() {
  const { id, graph } = useJob();
  const over = isOver(graph.status);
  const { value, again } = useFetched<FeedbackList>(over ? `/v1/jobs/${id}/feedback` : null);
  const [mine, setMine] = useState<FeedbackView | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  if (!over) return null;
  const rate = (score: number): void => {
    post<FeedbackView>(`/v1/jobs/${id}/feedback`, { score }).then(
      (told) => {
        setMine(told);
        setProblem(null);
        again();
      },
      (error: unknown) => {
        if (!(error instanceof Problem)) throw error;
        setProblem(error);
      },
    );
  };
  const told = value?.items ?? [];
  return (
    <div className="rating stack">
      <p className="row small">
        {THUMBS.map(({ score, sign, does }) => (
          <button
            key={score}
            type="button"
            className="button small-button"
            aria-pressed={mine?.score === score}
            aria-label={does}
            title={does}
            onClick={() => rate(score)}
          >
            {sign}
          </button>
        ))}
        <span className="faint" role="status">
          {told.map((one) => `${one.author}: ${one.score}`).join(", ")}
        </span>
      </p>
      {problem && <ProblemNote problem={problem} />}
    </div>
  );
}
