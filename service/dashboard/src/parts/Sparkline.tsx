import { median, seconds } from "../model/words";

/** Durations of the last jobs, oldest first, as a line; what it shows is also said in words. */
export function Sparkline({
  values,
  width = 180,
  height = 32,
}: {
  values: readonly number[];
  width?: number;
  height?: number;
}) {
  if (values.length < 2) return null;
  const most = Math.max(...values);
  const points = values.map((value, i) => {
    const x = 2 + (i / (values.length - 1)) * (width - 4);
    const y = height - 3 - (value / most) * (height - 6);
    return `${x.toFixed(1)},${y.toFixed(1)}`;
  });
  const words = `Latency of the last ${values.length} finished jobs: median ${seconds(median(values))}, longest ${seconds(most)}`;
  const last = points.at(-1)!.split(",");
  return (
    <svg className="sparkline" width={width} height={height} role="img" aria-label={words}>
      <title>{words}</title>
      <polyline points={`2,${height} ${points.join(" ")} ${width - 2},${height}`} className="area" />
      <polyline points={points.join(" ")} className="line" />
      <circle cx={last[0]} cy={last[1]} r="2.5" />
    </svg>
  );
}
