"""Four replicas with a modelled prefix cache, and jobs of all policies on them, in virtual time: what is cached where a
decode is sent, of what is cached anywhere.

The jobs are real: policies, interpreter, contexts. What models write is each policy's part (`writers.py`), and a token
takes a unit of time. The caches hold all they ever read and wrote, in blocks of 16 tokens of four characters.
"""

import heapq
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from zlib import crc32

from tests.dag.policies.writers import part

from anabranch.dag import commands as c
from anabranch.dag import events as e
from anabranch.dag.decoding import Decoded, Usage
from anabranch.dag.ids import JobId
from anabranch.dag.job import JobSpec, Sampling
from anabranch.dag.limits import Limits
from anabranch.dag.policy import catalogue
from anabranch.dag.simulation.engines.streams import Stages
from anabranch.dag.simulation.job_run import JobRun
from anabranch.dag.simulation.models.outputs import Output, write_pieces
from anabranch.dag.simulator import tokens_of
from anabranch.dag.text import say
from anabranch.service.organizer.job.requests import request_of
from anabranch.workers.messages import DecodeRequest
from anabranch.workers.pool.placement import Placement
from anabranch.workers.prefixes import Keys, keys_of, text_of

REPLICAS = ("a", "b", "c", "d")
BLOCK_TOKENS = 16
TRAINED = ("async-think", "thread-weaver", "multiverse", "apr", "parallel-r1", "npr")
PARAMS: dict[str, dict[str, Any]] = {name: {"assist": "none"} for name in TRAINED} | {
    "mcts": {"iterations": 4}
}
POLICIES = sorted(set(catalogue()) - {"retrieval"})
"""Without the one that needs a knowledge source."""
QUESTION = (
    "Here is a long report, of which one sentence matters. " + "It says many things about rivers. " * 30
)


class Router(Protocol):
    """Places a request, and hears what was written for it."""

    def place(self, request: DecodeRequest, loads: Mapping[str, int]) -> str: ...

    def wrote(self, request: DecodeRequest, text: str, replica: str) -> None: ...


class Ours:
    def __init__(self) -> None:
        self._placement = Placement()

    def place(self, request: DecodeRequest, loads: Mapping[str, int]) -> str:
        ((replica, _),) = self._placement.place([request], loads).items()
        return replica

    def wrote(self, request: DecodeRequest, text: str, replica: str) -> None:
        self._placement.wrote(request, text, replica)


class RoundRobin:
    def __init__(self) -> None:
        self._next = 0

    def place(self, request: DecodeRequest, loads: Mapping[str, int]) -> str:
        self._next += 1
        return sorted(loads)[self._next % len(loads)]

    def wrote(self, request: DecodeRequest, text: str, replica: str) -> None: ...


def nobody_asks(_run: JobRun, command: c.AskRoom) -> e.RoomTold:
    """No policy of these jobs asks for room."""
    raise AssertionError(command)


@dataclass(slots=True)
class Counted:
    """Prompt tokens of all decodes, in whole blocks."""

    read: int = 0
    could: int = 0
    """Cached on some replica."""
    cached: int = 0
    """Cached on the one that was chosen."""
    most: int = 0
    """Decodes on one replica at once, at most."""

    @property
    def share(self) -> float:
        return self.cached / self.could if self.could else 1.0


@dataclass(slots=True)
class Cluster:
    """Runs jobs on the replicas."""

    router: Router
    counted: Counted = field(default_factory=Counted)
    _agenda: list[tuple[float, int, Callable[[float], None]]] = field(default_factory=list)
    _tickets: int = 0
    _held: dict[str, set[int]] = field(default_factory=lambda: {name: set() for name in REPLICAS})
    _loads: dict[str, int] = field(default_factory=lambda: dict.fromkeys(REPLICAS, 0))
    _aborted: set[tuple[int, str, int]] = field(default_factory=set)
    ended: int = 0

    def run(self, jobs: list[tuple[float, JobSpec]]) -> Counted:
        """Runs all, each from the time at which it comes."""
        for number, (when, spec) in enumerate(jobs):
            run = JobRun(
                number=number,
                spec=spec,
                write=lambda _: Output(cuts=()),
                limits=Limits(final_thoughts=True),
                arrived=when,
                at=self._at,
                decode=self._decode,
                abort=lambda run, command, _now: self._aborted.add(
                    (run.number, command.branch, command.segment)
                ),
                ended=self._end,
                stepped=lambda _run, _now: None,
                ask_room=nobody_asks,
            )
            self._at(when, run.claim)
        while self._agenda:
            now, _, happen = heapq.heappop(self._agenda)
            happen(now)
        assert self.ended == len(jobs)
        return self.counted

    def _at(self, when: float, happen: Callable[[float], None]) -> None:
        self._tickets += 1
        heapq.heappush(self._agenda, (when, self._tickets, happen))

    def _end(self, _run: JobRun, _now: float) -> None:
        self.ended += 1

    def _decode(self, run: JobRun, command: c.Decode, now: float) -> None:
        request = request_of(command, JobId(f"job-{run.number}"), run.spec, "a" * 32, now)
        replica = self.router.place(request, dict(self._loads))
        self._loads[replica] += 1
        self.counted.most = max(self.counted.most, self._loads[replica])
        keys = keys_of(text_of(command.context))
        held = {name: _leading(keys, blocks) for name, blocks in self._held.items()}
        self.counted.read += BLOCK_TOKENS * len(keys)
        self.counted.could += BLOCK_TOKENS * max(held.values())
        self.counted.cached += BLOCK_TOKENS * held[replica]
        self._held[replica].update(keys)
        salt = crc32(f"{run.number}/{command.branch}/{command.segment}".encode())
        own = " ".join(f"w{(salt + place) % 997}" for place in range(40 + salt % 80))
        text = part(run.spec.policy, command, own)
        output = write_pieces(command.decoding, [(piece, 1) for piece in tokens_of(text)])
        self._tell(run, command, request, replica, output, 0, "", now)

    def _tell(
        self,
        run: JobRun,
        command: c.Decode,
        request: DecodeRequest,
        replica: str,
        output: Output,
        at: int,
        written: str,
        began: float,
    ) -> None:
        """Tells the next segment of a decode at its time."""
        cut = output.cuts[at]
        when = began + max(1, cut.tokens)

        def happen(now: float) -> None:
            decoded: Decoded = cut.decoded
            text = written + decoded.text
            stages = Stages(submitted=began, scheduled=began, first_token=began + 1, finished=now)
            aborted = (run.number, command.branch, command.segment) in self._aborted
            if not decoded.open or aborted:
                self._loads[replica] -= 1
                self.router.wrote(request, text, replica)
                self._held[replica].update(keys_of(text_of(command.context) + text))
            fact = e.SegmentFinished(
                branch=command.branch,
                segment=command.segment + at,
                attempt=command.attempt,
                decoded=Decoded(
                    text=decoded.text,
                    finish=decoded.finish,
                    tag=decoded.tag,
                    open=decoded.open and not aborted,
                    usage=Usage(completion_tokens=decoded.usage.completion_tokens),
                ),
            )
            run.finished(fact, stages, now)
            if decoded.open and not aborted:
                self._tell(run, command, request, replica, output, at + 1, text, began)

        self._at(when, happen)


def _leading(keys: Keys, blocks: set[int]) -> int:
    count = 0
    for key in keys:
        if key not in blocks:
            break
        count += 1
    return count


def jobs_of(policy: str, count: int = 12) -> list[tuple[float, JobSpec]]:
    """So many jobs of a policy that overlap, each with a question of its own."""
    return [
        (
            37.0 * number,
            JobSpec(
                messages=(say("user", f"Report {number}. {QUESTION} What is due?"),),
                policy=policy,
                params=PARAMS.get(policy, {}),
                seed=number,
                sampling=Sampling(max_tokens=400),
            ),
        )
        for number in range(count)
    ]
