import { Calls } from "../parts/Calls";
import { Prose } from "../parts/LongText";
import { Citations } from "./Citations";
import { Failure } from "./Failure";
import { useJob } from "./JobContext";
import { Rating } from "./Rating";
import { Sources } from "./Sources";
import { LastTally } from "./Tally";

/** What came of the job: its answer and how the branches voted for it, or why there is none. */
export function Answer() {
  const { graph } = useJob();
  if (graph.error) {
    return (
      <>
        <Failure />
        <LastTally />
      </>
    );
  }
  if (!graph.answer) return <LastTally />;
  return (
    <section className="outcome" aria-label="Answer">
      <h2 className="visually-hidden">Answer</h2>
      <Prose text={graph.answer.text} first={600} />
      <Calls calls={graph.answer.calls} />
      <Citations />
      <Sources />
      <LastTally />
      <Rating />
    </section>
  );
}
