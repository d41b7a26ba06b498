import { type PointerEvent, useEffect, useRef, useState } from "react";
import { readPalette } from "../../graph/palette";
import { useKeys } from "../../keys";
import { isOver } from "../../model/journal/graph";
import { clock, seconds } from "../../model/words";
import { useTheme } from "../../theme";
import { useJob } from "../JobContext";
import { paintOverview } from "./overviewPaint";
import { useWindow } from "./TimeAxis";

/** How long the whole of a job plays. */
const PLAY_SECONDS = 14;
const STEPS = 1000;

/** The whole job in one strip: how many segments were in which phase, the critical path, the window, the playhead. */
export function Overview() {
  const { graph, version, scale, critical, moment, now, seek: seekTo } = useJob();
  const strip = useRef<HTMLCanvasElement>(null);
  const [width, setWidth] = useState(0);
  const colours = useTheme();
  const window = useWindow();
  const brush = useRef<number | null>(null);
  const [playing, setPlaying] = useState(false);
  const isFinished = isOver(graph.status);

  useEffect(() => {
    const observer = new ResizeObserver(([entry]) => setWidth(entry!.contentRect.width));
    observer.observe(strip.current!);
    return () => observer.disconnect();
  }, []);
  useEffect(() => {
    if (width > 0)
      paintOverview(strip.current!, graph, scale, critical, readPalette(strip.current!.parentElement!), now);
  }, [graph, version, scale, critical, width, colours]);

  const at = moment === null ? 1 : scale.at(moment);
  const seek = (position: number | null): void =>
    seekTo(
      position === null || position >= 1 ? null : scale.moment(Math.max(0, position)) - graph.submittedAt,
    );
  usePlaying(playing, at, seek, () => setPlaying(false));

  const group = "Playhead";
  const play = (): void => {
    if (!isFinished) return;
    if (!playing && moment === null) seek(0);
    setPlaying(!playing);
  };
  useKeys([
    { keys: " ", does: "Play or pause a finished job", group, run: play },
    { keys: ",", does: "Back a little", group, run: () => isFinished && seek(at - 0.01) },
    { keys: ".", does: "On a little", group, run: () => isFinished && seek(at + 0.01) },
    { keys: "e", does: "To the end", group, run: () => isFinished && seek(null) },
  ]);

  const positionOf = (event: PointerEvent<HTMLElement>): number => {
    const { left, width: size } = event.currentTarget.getBoundingClientRect();
    return Math.min(1, Math.max(0, (event.clientX - left) / size));
  };
  return (
    <div className="overview">
      <button
        type="button"
        className="button icon small-button"
        disabled={!isFinished}
        aria-label={playing ? "Pause" : "Play the job"}
        title={isFinished ? "Play (Space)" : "A job can be played when it has ended"}
        onClick={play}
      >
        {playing ? "❚❚" : "▶"}
      </button>
      <div className="overview-strip">
        <canvas
          ref={strip}
          aria-label="Segments at work over time; drag to look at a part"
          role="img"
          onPointerDown={(event) => {
            event.currentTarget.setPointerCapture(event.pointerId);
            brush.current = positionOf(event);
          }}
          onPointerMove={(event) => {
            if (brush.current === null) return;
            const here = positionOf(event);
            const [from, to] = [Math.min(brush.current, here), Math.max(brush.current, here)];
            if (to - from > 0.01) window.set(from, to);
          }}
          onPointerUp={() => (brush.current = null)}
          onDoubleClick={window.reset}
        />
        {(window.from > 0 || window.to < 1) && (
          <i
            className="overview-window"
            style={{ left: `${window.from * 100}%`, width: `${(window.to - window.from) * 100}%` }}
          />
        )}
        {moment !== null && <i className="playhead" style={{ left: `${at * 100}%` }} />}
        {isFinished && (
          <input
            type="range"
            aria-label="Playhead"
            aria-valuetext={`${seconds((moment ?? now) - graph.submittedAt)} after the submission`}
            min={0}
            max={STEPS}
            value={Math.round(at * STEPS)}
            onChange={(event) => {
              setPlaying(false);
              seek(Number(event.target.value) / STEPS);
            }}
          />
        )}
      </div>
      <output className="overview-time number">{clock((moment ?? now) - graph.submittedAt)}</output>
    </div>
  );
}

/** Moves the playhead on while it plays. */
function usePlaying(
  playing: boolean,
  at: number,
  seek: (position: number | null) => void,
  stop: () => void,
): void {
  const latest = useRef({ at, seek, stop });
  latest.current = { at, seek, stop };
  useEffect(() => {
    if (!playing) return;
    let frame = 0;
    let last = performance.now();
    let position = latest.current.at >= 1 ? 0 : latest.current.at;
    const tick = (time: number): void => {
      frame = requestAnimationFrame(tick);
      if (time - last < 50) return;
      position += (time - last) / 1000 / PLAY_SECONDS;
      last = time;
      latest.current.seek(position);
      if (position >= 1) latest.current.stop();
    };
    frame = requestAnimationFrame(tick);
    return () => cancelAnimationFrame(frame);
  }, [playing]);
}
