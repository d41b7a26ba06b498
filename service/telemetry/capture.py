"""Reads how much of what models read and wrote leaves this house: nothing, unless the standard variables ask for it."""

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass

CONTENT = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
EVENTS = "OTEL_INSTRUMENTATION_GENAI_EMIT_EVENT"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """Where prompts, answers and thoughts are told, and whether events are sent besides spans."""

    on_spans: bool = False
    on_events: bool = False
    events: bool = False

    @property
    def content(self) -> bool:
        return self.on_spans or self.on_events


NOTHING = Capture()
_MODES: Mapping[str, Capture] = {
    "NO_CONTENT": NOTHING,
    "SPAN_ONLY": Capture(on_spans=True),
    "EVENT_ONLY": Capture(on_events=True, events=True),
    "SPAN_AND_EVENT": Capture(on_spans=True, on_events=True, events=True),
}
"""By the values that OpenTelemetry's own GenAI utilities have for CONTENT."""


def read_capture(environment: Mapping[str, str] = os.environ) -> Capture:
    """What the variables ask for. A value that is none of theirs is logged, and nothing is captured."""
    wanted = environment.get(CONTENT, "").strip().upper() or "NO_CONTENT"
    if wanted not in _MODES:
        logger.warning("%s is none of %s: no content is captured", CONTENT, ", ".join(_MODES))
    mode = _MODES.get(wanted, NOTHING)
    events = environment.get(EVENTS, "").strip().lower()
    sent = {"true": True, "false": False}.get(events, mode.events)
    return Capture(on_spans=mode.on_spans, on_events=mode.on_events and sent, events=sent)
