"""Lists the fields of a simulation's description, as YAML has them, and what each may be."""

from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from anabranch.dag.errors import DagError
from anabranch.dag.job import Budget
from anabranch.dag.simulation.description import Arrivals, Cluster, Kind
from anabranch.dag.simulation.draws import Lengths
from anabranch.dag.simulation.engines.step_time import StepTime
from anabranch.service.policies import BadParams, check_params


class PartFields(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


class LognormalFields(PartFields):
    median: float = Field(ge=1)
    sigma: float = Field(default=0.5, ge=0, le=5)
    """Of the logarithm: 0.5 puts two thirds of all between 0.6 and 1.65 medians."""


class LengthsFields(PartFields):
    """Exactly one of these."""

    constant: int | None = Field(default=None, ge=1)
    uniform: tuple[int, int] | None = Field(default=None, strict=False)
    exponential: float | None = Field(default=None, ge=1)
    lognormal: LognormalFields | None = None
    values: tuple[int, ...] | None = Field(default=None, min_length=1, strict=False)

    @model_validator(mode="after")
    def _one(self) -> Self:
        given = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"give one of {', '.join(type(self).model_fields)}")
        numbers = self.uniform or self.values or ()
        if any(number < 1 for number in numbers) or (self.uniform and self.uniform[0] > self.uniform[1]):
            raise ValueError("lengths are 1 or more, the least of them first")
        return self

    def lengths(self) -> Lengths:
        if self.lognormal is not None:
            return Lengths(kind="lognormal", numbers=(self.lognormal.median, self.lognormal.sigma))
        if self.uniform is not None:
            return Lengths(kind="uniform", numbers=self.uniform)
        if self.values is not None:
            return Lengths(kind="values", numbers=self.values)
        if self.exponential is not None:
            return Lengths(kind="exponential", numbers=(self.exponential,))
        return Lengths(kind="constant", numbers=(float(self.constant or 1),))


def _number_is_constant(value: Any) -> Any:
    return {"constant": value} if isinstance(value, int) and not isinstance(value, bool) else value


class StepFields(PartFields):
    """Seconds of one step of an engine, as `anabranch simulate fit` tells them."""

    base: float = Field(ge=0)
    per_sequence: float = Field(default=0.0, ge=0)
    per_context_token: float = Field(default=0.0, ge=0)
    per_prefill_token: float = Field(default=0.0, ge=0)

    @model_validator(mode="after")
    def _takes_time(self) -> Self:
        if self.base + self.per_sequence <= 0:
            raise ValueError("base and per_sequence are both 0: a step takes time")
        return self

    def step_time(self) -> StepTime:
        one = self.base + self.per_sequence
        return StepTime(
            points=((1, one), (2, one + self.per_sequence)),
            per_context_token=self.per_context_token,
            per_prefill_token=self.per_prefill_token,
        )


class ClusterFields(PartFields):
    replicas: int = Field(default=1, ge=1, le=100_000)
    gpus_per_replica: float = Field(default=1.0, ge=0)
    gpu_hour: float = Field(default=0.0, ge=0)
    """Money for one GPU and one hour."""
    kv_tokens: int | None = Field(default=None, ge=16)
    """Tokens whose keys and values one replica can hold."""
    max_decodes: int = Field(default=256, ge=1)
    max_jobs: int | None = Field(default=None, ge=1)
    prefill_chunk: int = Field(default=8192, ge=1)
    overhead: float = Field(default=0.0, ge=0)
    step: StepFields | None = None
    decode_rates: dict[int, float] | None = Field(default=None, min_length=1)
    """Tokens a second of one replica, by the sequences in its batch; in place of `step`."""
    prefill_rate: float | None = Field(default=None, gt=0)
    """Prompt tokens a second of one replica; beside `decode_rates`."""

    @field_validator("decode_rates")
    @classmethod
    def _rates(cls, rates: dict[int, float] | None) -> dict[int, float] | None:
        if rates and any(batch < 1 or rate <= 0 for batch, rate in rates.items()):
            raise ValueError("batches are 1 or more, and their rates more than 0")
        return rates

    @model_validator(mode="after")
    def _one_speed(self) -> Self:
        if (self.step is None) == (self.decode_rates is None):
            raise ValueError("give either step (see `anabranch simulate fit`) or decode_rates")
        if self.step is not None and self.prefill_rate is not None:
            raise ValueError("prefill_rate goes with decode_rates; step has per_prefill_token")
        return self

    def cluster(self) -> Cluster:
        if self.step is not None:
            step = self.step.step_time()
        else:
            points = tuple(sorted((batch, batch / rate) for batch, rate in (self.decode_rates or {}).items()))
            step = StepTime(
                points=points, per_prefill_token=1 / self.prefill_rate if self.prefill_rate else 0.0
            )
        told = self.model_dump(exclude={"step", "decode_rates", "prefill_rate"})
        return Cluster(step=step, **told)


class ArrivalsFields(PartFields):
    """One of poisson, trace and clients."""

    jobs: int | None = Field(default=None, ge=1, le=1_000_000)
    poisson: float | None = Field(default=None, gt=0)
    """Jobs a second."""
    trace: tuple[float, ...] | None = Field(default=None, min_length=1)
    """Seconds from the start, one for each job."""
    clients: int | None = Field(default=None, ge=1)
    """Each asks the next question when it has read the answer to its last."""
    think_seconds: float = Field(default=0.0, ge=0)

    @model_validator(mode="after")
    def _one(self) -> Self:
        given = [name for name in ("poisson", "trace", "clients") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError("give one of poisson, trace and clients")
        if self.trace is None and self.jobs is None:
            raise ValueError("say how many jobs")
        if self.trace is not None and (self.jobs or 0) > len(self.trace):
            raise ValueError(f"the trace has {len(self.trace)} jobs, not {self.jobs}")
        if any(time < 0 for time in self.trace or ()):
            raise ValueError("a trace's times are 0 or more")
        return self

    def arrivals(self) -> Arrivals:
        if self.poisson is not None:
            return Arrivals(process="poisson", jobs=self.jobs or 1, rate=self.poisson)
        if self.trace is not None:
            return Arrivals(process="trace", jobs=self.jobs or len(self.trace), times=self.trace)
        return Arrivals(
            process="closed", jobs=self.jobs or 1, clients=self.clients or 1, think_seconds=self.think_seconds
        )


class BudgetFields(PartFields):
    tokens: int | None = Field(default=None, ge=1)
    seconds: float | None = Field(default=None, gt=0)
    branch_seconds: float | None = Field(default=None, gt=0)
    branches: int | None = Field(default=None, ge=0)
    depth: int | None = Field(default=None, ge=0)


class JobsFields(PartFields):
    """Jobs of one kind: of a policy with drawn lengths, or recorded ones."""

    name: str | None = Field(default=None, min_length=1, max_length=100)
    weight: float = Field(default=1.0, gt=0)
    policy: str | None = None
    params: dict[str, Any] = Field(default_factory=dict)
    budget: BudgetFields = BudgetFields()
    question_tokens: LengthsFields = LengthsFields(constant=100)
    output_tokens: LengthsFields = LengthsFields(constant=400)
    forks: int = Field(default=2, ge=1, le=50)
    agreement: float = Field(default=0.7, ge=0, le=1)
    recorded: tuple[str, ...] | None = Field(default=None, min_length=1)
    """Ids of jobs in the store."""

    _constants = field_validator("question_tokens", "output_tokens", mode="before")(_number_is_constant)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.policy is None) == (self.recorded is None):
            raise ValueError("give either policy or recorded")
        if self.policy is not None:
            check_policy(self.policy, self.params)
        return self

    def kind(self, name: str) -> Kind:
        return Kind(
            name=name,
            policy=self.policy or "",
            weight=self.weight,
            params=self.params,
            budget=Budget(**self.budget.model_dump()),
            question_tokens=self.question_tokens.lengths(),
            output_tokens=self.output_tokens.lengths(),
            forks=self.forks,
            agreement=self.agreement,
        )


class SweepFields(PartFields):
    replicas: tuple[int, ...] = ()
    width: tuple[int, ...] = ()
    policy: tuple[str, ...] = ()


class DescriptionFields(PartFields):
    seed: int = Field(default=0, ge=0)
    cluster: ClusterFields
    arrivals: ArrivalsFields
    jobs: tuple[JobsFields, ...] = Field(min_length=1)
    goal_seconds: float | None = Field(default=None, gt=0)
    """A job that succeeds within them is good: goodput counts those."""
    width: int = Field(default=64, ge=1)
    """Decodes of one job that run at once."""
    slowdown: float | None = Field(default=None, ge=1)
    """How many times as long as alone a step may take because jobs have more than one branch; others wait."""
    sweep: SweepFields = SweepFields()


def check_policy(name: str, params: Mapping[str, Any]) -> None:
    """Raises ValueError where there is no such policy, or it refuses these parameters."""
    try:
        check_params(name, params)
    except ValidationError as error:
        raise ValueError("; ".join(tell_faults(error, "params"))) from error
    except (DagError, BadParams) as error:
        raise ValueError(str(error)) from error


def tell_faults(error: ValidationError, under: str = "") -> list[str]:
    """Each fault with the path to its field."""
    faults: list[str] = []
    for fault in error.errors(include_url=False):
        where = ".".join(str(step) for step in ((under,) if under else ()) + fault["loc"])
        what = str(fault["msg"]).removeprefix("Value error, ")
        what = "there is no such field" if fault["type"] == "extra_forbidden" else what
        faults.append(f"{where}: {what}" if where else what)
    return faults
