import { useEffect, useState } from "react";

const EVERY_SECONDS = 3;

/** Changes every few seconds while something is still to come: verdicts are told by nobody's journal. */
export function useRounds(wanted: boolean): string {
  const [round, setRound] = useState(0);
  useEffect(() => {
    if (!wanted) return;
    const timer = setInterval(() => {
      if (!document.hidden) setRound((n) => n + 1);
    }, EVERY_SECONDS * 1000);
    return () => clearInterval(timer);
  }, [wanted]);
  return String(round);
}
