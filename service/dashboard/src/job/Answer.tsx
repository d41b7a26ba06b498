import { Calls } from "../parts/Calls";
import { LongText, Prose } from "../parts/LongText";
import { useJob } from "./JobContext";
import { Sources } from "./panels/PointPanels";

export function Answer() {
  const { graph } = useJob();
  if (graph.error) {
    return (
      <section className="outcome failed" aria-label="Error">
        <strong>{graph.error.title}</strong>
        {graph.error.detail && <LongText text={graph.error.detail} first={600} />}
      </section>
    );
  }
  if (!graph.answer) return null;
  return (
    <section className="outcome" aria-label="Answer">
      <h2 className="visually-hidden">Answer</h2>
      <Prose text={graph.answer.text} first={600} />
      <Calls calls={graph.answer.calls} />
      <Sources />
    </section>
  );
}
