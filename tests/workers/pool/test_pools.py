"""Several pools under names: each decode goes to the pool of its model, and only a pool's own wait for it."""

from collections.abc import AsyncIterator, Sequence

import pytest
from tests.workers.conftest import Listener, RequestFor, fault_in

from anabranch.dag.decoding import Finish
from anabranch.dag.limits import OTHERS
from anabranch.dag.room import NOTHING_LEARNED, StepFit, Streams
from anabranch.dag.vocabulary import Cause
from anabranch.workers.engines.openai.settings import OpenAISettings
from anabranch.workers.engines.script import Line, Rule, Rules
from anabranch.workers.engines.scripted import ScriptedEngine, ScriptedSettings
from anabranch.workers.messages import DecodeRequest, Key
from anabranch.workers.pool.in_flight import InFlightCall
from anabranch.workers.pool.local import LocalPool
from anabranch.workers.pool.naming import ModelNames, Serving
from anabranch.workers.pool.pools import Pools
from anabranch.workers.pool.protocol import Deliver, PoolLoad
from anabranch.workers.settings import PoolSettings


class AwayPool:
    """A pool without a replica: it keeps what it is given."""

    def __init__(self) -> None:
        self.waiting: list[InFlightCall] = []
        self.asked: list[DecodeRequest] = []

    def start(self, requests: Sequence[DecodeRequest], deliver: Deliver) -> None:
        self.asked += requests
        self.waiting.append(InFlightCall(requests, deliver))

    def abort(self, keys: Sequence[Key]) -> None:
        for flight in self.waiting:
            flight.end([key for key in keys if key in flight], Finish.ABORT, replica="")

    def streams(self, model: str | None) -> tuple[Streams, StepFit]:
        return Streams(streams=sum(map(len, self.waiting)), capacity=0, replicas=0), NOTHING_LEARNED

    def elsewhere(self, key: Key) -> bool:
        return False

    def load(self) -> PoolLoad:
        waiting = sum(map(len, self.waiting))
        return PoolLoad(replicas=0, decoding=waiting, capacity=0, waiting=waiting)

    async def close(self) -> None:
        self.waiting.clear()


def pool(name: str, model: str, *adapters: str) -> PoolSettings:
    return PoolSettings(
        name=name, engine=ScriptedSettings(model=model, adapters={each: each for each in adapters})
    )


NAMES = ModelNames([pool("small", "s-1", "sql"), pool("large", "l-1"), pool("gone", "g-1", "law")], "small")


def says(text: str) -> LocalPool:
    return LocalPool(ScriptedEngine(Rules((Rule(line=Line(text=text)),))), name=text)


@pytest.fixture
def gone() -> AwayPool:
    return AwayPool()


@pytest.fixture
async def pools(gone: AwayPool) -> AsyncIterator[Pools]:
    pools = Pools({"small": says("small"), "large": says("large"), "gone": gone}, NAMES)
    yield pools
    await pools.close()


async def test_each_decode_goes_to_the_pool_of_its_model(
    pools: Pools, listener: Listener, request_for: RequestFor
) -> None:
    models = [None, "small", "s-1", "sql", "large", "l-1"]
    requests = [request_for(f"0.{n}", model=model) for n, model in enumerate(models, start=1)]
    pools.start(requests, listener)
    ends = await listener.all_end(requests)
    told = [ends[request.key].decoded.text for request in requests]
    assert told == ["small"] * 4 + ["large"] * 2


async def test_a_pool_without_a_replica_keeps_its_own_decodes_and_no_others(
    pools: Pools, gone: AwayPool, listener: Listener, request_for: RequestFor
) -> None:
    waits, goes = [request_for("0.1", model="gone"), request_for("0.2", model="law")], request_for("0.3")
    pools.start([*waits, goes], listener)
    await listener.until(lambda: goes.key in listener.ends())
    load = pools.load()
    assert (load.replicas, load.decoding, load.waiting) == (2, 2, 2)
    assert {name: each.waiting for name, each in load.pools.items()} == {"small": 0, "large": 0, "gone": 2}
    assert [request.model for request in gone.asked] == [None, "law"]
    pools.abort([request.key for request in waits])
    ends = await listener.all_end([*waits, goes])
    assert {ends[each.key].decoded.finish for each in waits} == {Finish.ABORT}


async def test_a_model_that_no_pool_has_is_refused_with_the_list_and_not_tried_again(
    pools: Pools, listener: Listener, request_for: RequestFor
) -> None:
    request = request_for("0.1", model="huge")
    pools.start([request], listener)
    fault = fault_in((await listener.all_end([request]))[request.key].decoded)
    assert (fault.cause, fault.retryable) == (Cause.REFUSED, False)
    assert "'huge'; there are: small, s-1, sql, large, l-1, gone, g-1, law" in fault.detail


# -- names


@pytest.mark.parametrize(
    ("model", "serving"),
    [
        (None, Serving("small", None)),
        ("small", Serving("small", None)),
        ("s-1", Serving("small", None)),
        ("sql", Serving("small", "sql")),
        ("law", Serving("gone", "law")),
        ("huge", None),
        ("", None),
    ],
)
def test_a_pool_is_found_by_its_name_its_model_and_its_adapters(
    model: str | None, serving: Serving | None
) -> None:
    assert NAMES.find(model) == serving


def test_a_pool_of_any_model_takes_what_no_other_has() -> None:
    upstream = PoolSettings(name="up", engine=OpenAISettings(base_url="http://h/v1"), takes_any=True)
    names = ModelNames([pool("small", "s-1"), upstream], "small")
    assert names.find("s-1") == Serving("small", None)
    assert names.find("gpt") == Serving("up", "gpt")
    assert names.listed == ("small", "s-1", "up")


def test_of_two_pools_of_one_model_the_first_has_its_name() -> None:
    names = ModelNames([pool("fast", "m"), pool("cheap", "m", "lora"), pool("last", "m", "lora")], "cheap")
    assert names.find("m") == Serving("fast", None)
    assert names.find("lora") == Serving("cheap", "lora")
    assert names.find(None) == Serving("cheap", None)


def test_a_pool_that_nobody_declared_is_not_listed() -> None:
    names = ModelNames([PoolSettings(engine=ScriptedSettings(model="m"))], "default")
    assert names.listed == ("m",)
    assert names.find("default") == Serving("default", None)


@pytest.mark.parametrize(
    "declared",
    [
        [pool("a", "b"), pool("b", "c")],
        [pool("a", "m", "b"), pool("b", "c")],
        [pool("a", "m", "a")],
        [pool("a", "m", "m")],
    ],
)
def test_a_name_that_would_mean_two_things_is_refused(declared: list[PoolSettings]) -> None:
    with pytest.raises(ValueError, match="called"):
        ModelNames(declared, "a")


@pytest.mark.parametrize("name", ["", "  ", OTHERS])
def test_what_no_job_could_ask_for_is_no_name(name: str) -> None:
    with pytest.raises(ValueError, match="is no name of a model that a job could ask for"):
        ModelNames([pool("a", name)], "a")


def test_only_one_pool_takes_what_no_other_has() -> None:
    engine = OpenAISettings(base_url="http://h/v1")
    two = [PoolSettings(name=name, engine=engine, takes_any=True) for name in ("one", "two")]
    assert ModelNames(two[:1], "one").open_pool == "one"
    with pytest.raises(ValueError, match="one and two would both take any model"):
        ModelNames(two, "one")
