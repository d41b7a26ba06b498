/** Numbers and moments in words, the same everywhere on the pages. */

export function tokens(count: number): string {
  return count.toLocaleString("en");
}

export function seconds(duration: number): string {
  if (duration < 0.0095)
    return duration <= 0 ? "0 s" : `${(duration * 1000).toFixed(duration < 0.001 ? 1 : 0)} ms`;
  if (duration < 9.995) return `${duration.toFixed(duration < 0.9995 ? 2 : 1)} s`;
  if (duration < 59.5) return `${Math.round(duration)} s`;
  const whole = Math.round(duration);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  if (whole < 86_400) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  return `${Math.floor(whole / 86_400)} d ${Math.floor((whole % 86_400) / 3600)} h`;
}

/** A moment on a time axis: like `seconds`, but from a minute on as a clock, which stays apart where words would not. */
export function clock(moment: number, fine = false): string {
  if (moment < 59.5) return seconds(moment);
  const whole = fine ? Math.floor(moment * 10) / 10 : Math.round(moment);
  const two = (value: number): string => String(Math.floor(value)).padStart(2, "0");
  const tenth = fine ? `.${Math.floor((whole * 10) % 10)}` : "";
  const minutes = Math.floor(whole / 60);
  const tail = `:${two(whole % 60)}${tenth}`;
  return minutes < 60 ? `${minutes}${tail}` : `${Math.floor(minutes / 60)}:${two(minutes % 60)}${tail}`;
}

export function times(ratio: number): string {
  return `${ratio.toFixed(ratio < 10 ? 1 : 0)}×`;
}

export function percent(share: number): string {
  return `${share < 1 ? Math.min(99, Math.round(share * 100)) : 100}%`;
}

export function counted(count: number, noun: string, plural = `${noun}s`): string {
  if (noun.endsWith("branch")) plural = `${noun}es`;
  return `${tokens(count)} ${count === 1 ? noun : plural}`;
}

/** How long ago, for lists. */
export function ago(at: string, now: number): string {
  const passed = Math.max(0, now - Date.parse(at) / 1000);
  if (passed < 5) return "just now";
  if (passed < 60) return `${Math.floor(passed)} s ago`;
  if (passed < 3600) return `${Math.floor(passed / 60)} min ago`;
  if (passed < 86_400) return `${Math.floor(passed / 3600)} h ago`;
  if (passed < 30 * 86_400) return `${Math.floor(passed / 86_400)} d ago`;
  return new Date(at).toLocaleDateString("en", { year: "numeric", month: "short", day: "numeric" });
}

/** Middle value; the mean of the two middle ones; 0 of nothing. */
export function median(values: readonly number[]): number {
  if (values.length === 0) return 0;
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}

/** Money in the price table's currency: as many digits as it needs to be more than nothing. */
export function money(amount: number): string {
  if (amount === 0) return "0";
  return amount >= 0.01 ? amount.toFixed(4) : amount.toPrecision(2);
}

/** A value against another: in per cent while that says something, in times beyond, and as it is against nothing. */
export function against(before: number, after: number): string {
  if (before === after) return "same";
  if (before === 0) return "from nothing";
  if (after === 0) return "to nothing";
  const ratio = after / before;
  if (ratio >= 2) return `${times(ratio)} as much`;
  if (ratio <= 0.5) return `${times(1 / ratio)} less`;
  const change = Math.round(100 * Math.abs(ratio - 1));
  return change === 0 ? "about the same" : `${ratio > 1 ? "+" : "−"}${change}%`;
}
