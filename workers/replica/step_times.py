"""Learns how long a step of this replica's engine takes, from the streams that it decodes.

Every so often it is told in one number: streams, on average, and seconds that each of them waited for a token. A line
is laid through these points by least squares in which older ones count less and less, so the fit follows contexts that
grow and a machine that slows. What is far off the line (a stall, a pause) counts as a smaller difference. Prompts are
left out: a stream begins with its first token.
"""

from anabranch.dag.room import NOTHING_LEARNED, StepFit
from anabranch.workers.messages import Key, Message, SegmentDone, TextPiece

WINDOW = 0.25
"""Seconds of decoding in one point."""
KEPT = 0.98
"""Of each point's weight, with every later one: the last fifty count."""
FARTHEST = 3.0
"""How many times as long, or as short, as predicted a point may be."""
TRUSTED = 4.0
"""Weight of points from which on the line judges them."""


class StepTimes:
    """Told the messages of all decodes as they leave, gathered, each with its time in seconds: to hear of each token
    would cost as much as reading it."""

    def __init__(self) -> None:
        self.fit: StepFit = NOTHING_LEARNED
        self._counted: dict[Key, int] = {}
        """Of the streams under way, the tokens of their segments so far."""
        self._at = 0.0
        self._busy = self._stream_seconds = 0.0
        self._tokens = 0
        self._known = 1.0
        self._sums = (0.0,) * 5
        """Weights; streams, their squares, seconds, and streams times seconds, by weight."""

    def heard(self, message: Message, now: float) -> None:
        """A decode has come on, or has ended."""
        self._pass(now)
        key = message.key
        match message:
            case TextPiece(tokens=tokens) if key in self._counted:
                self._tokens += max(0, tokens - self._counted[key])
                self._counted[key] = tokens
            case TextPiece(tokens=tokens):
                self._counted[key] = tokens
            case SegmentDone(decoded=decoded) if decoded.open:
                self._counted[key] = 0
            case SegmentDone():
                self._counted.pop(key, None)
        if self._busy >= WINDOW:
            self._learn()

    def _pass(self, now: float) -> None:
        if self._counted:
            seconds = max(0.0, now - self._at)
            self._busy += seconds
            self._stream_seconds += seconds * len(self._counted)
        self._at = now

    def _learn(self) -> None:
        if self._tokens:
            self._add(self._stream_seconds / self._busy, self._stream_seconds / self._tokens)
        self._busy = self._stream_seconds = 0.0
        self._tokens = 0

    def _add(self, streams: float, seconds: float) -> None:
        if self._sums[0] >= TRUSTED:
            line = self.fit.fixed + self.fit.per_stream * streams
            seconds = min(max(seconds, line / FARTHEST), line * FARTHEST)
        point = (1.0, streams, streams * streams, seconds, streams * seconds)
        self._sums = tuple(KEPT * old + new for old, new in zip(self._sums, point, strict=True))  # type: ignore[assignment]
        self._known = max(streams, self._known)
        self.fit = _line(*self._sums, known=self._known)


def _line(weight: float, n: float, nn: float, y: float, ny: float, *, known: float) -> StepFit:
    """The best line that neither falls nor begins below 0. Where all points have one size, steps are taken to be flat:
    the next ones are tried, and tell."""
    mean, seconds = n / weight, y / weight
    spread = nn / weight - mean * mean
    slope = (ny / weight - mean * seconds) / spread if spread > 1e-3 * mean * mean else 0.0
    slope = min(max(0.0, slope), seconds / mean)
    return StepFit(fixed=seconds - slope * mean, per_stream=slope, known=known)
