"""Lists all that an operator can set."""

import os
import re
from collections.abc import Mapping
from dataclasses import replace
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from anabranch.dag.limits import Limits
from anabranch.service.settings.engines import engine_settings
from anabranch.service.settings.errors import BadSettings, suggest
from anabranch.service.settings.pools import POOL_NAME, PREFIX, PoolDeclaration, Price
from anabranch.service.settings.prices import PriceList
from anabranch.service.store.sql.postgres_url import check_postgres_url
from anabranch.workers.engines.factory import EngineSettings
from anabranch.workers.pool.naming import ModelNames
from anabranch.workers.settings import DEFAULT_POOL, PoolSettings

OF_ONE_POOL = (
    "engine", "engine_options", "model", "replicas", "gpus_per_replica", "max_decodes", "script", "upstream_url",
)  # fmt: skip
"""What the pool is made of where none are declared."""

DAY = 86_400
MAX_DAYS = 100_000
"""Before the first year there is nothing to purge or to pack."""

Ask = Literal["auto", "always", "never"]

_STORES = re.compile(r"sqlite(\+\w+)?:///.+|postgres(ql)?(\+\w+)?://.+")


def _state_folder() -> Path:
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "anabranch"


def _embedded_database(fields: Mapping[str, Any]) -> str:
    return f"sqlite:///{fields['state'] / 'anabranch.db'}"


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )

    # -- where things are
    config: Path | None = None
    """YAML file of settings, by their names in lower case without the prefix; the environment goes over it
    ([pools](pools.md))."""
    url: str | None = None
    """Base URL of a running service, for the commands that talk to one. Not set: the store on this machine."""
    key: SecretStr | None = None
    """Key with which those commands call it, where it has tenants."""
    state: Path = Field(default_factory=_state_folder)
    """Folder of the embedded database."""
    database: str = Field(default_factory=_embedded_database)
    """URL: sqlite:///FILE, or postgresql://USER:PASSWORD@HOST:PORT/NAME as libpq takes it, with what its query may
    [ask for](cluster.md#the-databases-url), such as TLS."""
    host: str = "127.0.0.1"
    """Address to listen on. Any but a loopback address is reached by others: then make keys, too
    ([keys](keys.md))."""
    port: int = Field(default=8000, ge=0, le=65535)
    """Port to listen on; 0 takes a free one."""
    allowed_hosts: tuple[str, ...] = ()
    """Names, besides the loopback ones, under which a browser may call a service that is bound to loopback."""
    stop_seconds: float = Field(default=2.0, ge=0)
    """Seconds for which answers that are being sent, such as streams, may go on when REST is asked to stop. In pods: 60
    or more, and less than their terminationGracePeriodSeconds."""
    connections: int = Field(default=10, ge=2)
    """Connections to PostgreSQL that one process keeps at most."""

    tenants: Path | None = None
    """JSON file of tenants: what each may spend, how often it may call, and with which keys, besides those in the store
    ([keys](keys.md))."""
    ask_for_keys: Ask = "auto"
    """Who is asked for a key: everybody once there is one, in that file or in the store (auto), everybody in any case
    (always), or nobody (never)."""

    # -- who decodes
    pools: dict[str, PoolDeclaration] = {}
    """Pools of several models, by name ([pools](pools.md)). Not set: one, of the settings that follow."""
    default_pool: str | None = None
    """Pool of jobs that name no model. Not set: the first one declared."""
    engine: str = "vllm"
    """What a replica decodes with: vllm in its process, an OpenAI-compatible endpoint (openai), or a recorded script
    (scripted)."""
    engine_options: dict[str, Any] = Field(default={}, repr=False)
    """More that is the engine's own, as JSON: the fields of its settings in `workers/engines/`. Of vLLM's, such as
    {"max_model_len": 8192, "dtype": "bfloat16"}, `extra` holds any other argument of its engine, by vLLM's name."""
    model: str | None = None
    """A built-in model's name, a folder, or a Hugging Face name. Not set: the engine's own default."""
    replicas: int = Field(default=1, ge=1)
    """Engines in the worker pool."""
    gpus_per_replica: float = Field(default=0, ge=0)
    """GPUs that one replica takes, on which vLLM holds one copy of the model (tensor parallel); 0: the CPU decodes."""
    organizers: int = Field(default=1, ge=1)
    """Processes that run policies; each may hold hundreds of jobs."""
    ray: bool | None = None
    """Whether `anabranch up` and `anabranch run` start a Ray of their own. Not set: where vLLM decodes, or several
    replicas or organizers are asked for; all else runs in one process."""
    places: bool = False
    """Whether nodes of a Ray cluster say for whom they are: one of the resource `organizers` for an organizer, one of
    `pool-NAME` for each replica of that pool that fits. Ray then puts nothing elsewhere."""
    grace_seconds: float = Field(default=20.0, gt=0)
    """Seconds for which the decodes of a replica may go on when it is stopped, as for a new release; what is left is
    decoded on by others. On GPUs: 90 or more."""
    scale_down_seconds: float = Field(default=600.0, ge=0)
    """Seconds for which a pool that scales must want less before a replica is given back, the last one of a pool with
    `min_replicas: 0`, too. What the replica still decodes then has `grace_seconds`."""
    max_decodes: int = Field(default=32, ge=1)
    """Decodes that one replica takes at once."""
    stall_seconds: float = Field(default=300.0, gt=0)
    """Seconds without a new token after which a decode is tried on another replica."""
    silence_seconds: float = Field(default=5.0, gt=1)
    """Seconds without a sign of life, one of which is due each second, after which a replica's decodes are tried on
    another one."""
    script: Path | None = None
    """JSON file of what engine `scripted` says. Not set: its own demonstration."""
    upstream_url: str | None = None
    """Base URL of an OpenAI-compatible endpoint, for engine `openai`."""
    upstream_key: SecretStr | None = None
    """Key with which that endpoint is called; UPSTREAM_KEY is read, too, where this is not set."""

    link_host: str = "127.0.0.1"
    """Address on which each organizer listens for REST processes. Any but a loopback address wants a secret."""
    link_port: int = Field(default=0, ge=0, le=65535)
    """Port on which it listens; 0 takes a free one, as several organizers on one machine need."""
    link_address: str | None = None
    """Address under which REST processes reach an organizer, such as its pod's. Not set: the one it listens on; of
    0.0.0.0 and ::, this machine's own."""
    link_secret: SecretStr | None = None
    """Secret that REST processes and organizers share: who does not know it is not linked."""

    generation: str | None = None
    """Names the generation of organizers on a cluster, of which the newest takes the jobs. Not set: each cluster is
    one. Clusters that are to work side by side on one database have the same."""

    # -- how jobs run
    lease_seconds: float = Field(default=4.0, gt=0, le=DAY)
    """Seconds after which the jobs of a lost organizer are taken over; keep it well below ten."""
    policy: str = "plan"
    """Policy of jobs that name none."""
    policy_modules: tuple[str, ...] = ()
    """Modules that define policies, as JSON, `["my_package.my_policy"]`, besides those that packages announce."""
    max_tokens: int | None = Field(default=None, ge=1)
    """Tokens a segment may have, for jobs that do not say. Not set: what the model's context and the budget leave."""
    temperature: float | None = Field(default=None, ge=0, le=2)
    """Sampling temperature, for jobs that do not say. Not set: the model's own default."""
    top_p: float | None = Field(default=None, gt=0, le=1)
    """Nucleus of sampling, for jobs that do not say. Not set: the model's own default."""
    keep_tokens: bool = False
    """Journals keep the ids and logprobs of all decoded tokens, for training, of jobs that do not say."""
    prices: dict[str, Price] = {}
    """What a million tokens cost, by model, as JSON: `{"*": {"prompt": 0.1, "completion": 0.4}}`; `*` is all others."""

    tools: dict[str, str] = {}
    """Functions that branches may call, as JSON: `{"name": "package.module:function"}`; and tools of MCP servers, such
    as `"mcp+http://HOST/mcp#TOOL"` ([MCP](mcp.md))."""

    # -- webhooks
    deliver_webhooks: bool = True
    """Whether this REST process sends webhooks ([webhooks](webhooks.md))."""
    webhook_networks: tuple[str, ...] = ()
    """Private networks to which webhooks may be sent, by http, too; as JSON, `["10.1.0.0/16"]`. Not set: none."""

    # -- limits
    width: int = Field(default=64, ge=1)
    """Decodes of one job that run at once; more wait in line."""
    hedge: float = Field(default=0.0, ge=0, le=1)
    """Share of a job's decodes that may be started once more on another replica when they are late beside their
    siblings; what is decoded twice is paid twice. 0: none is ([performance](performance.md))."""
    slowdown: float | None = Field(default=None, ge=1)
    """How many times as long as alone a stream may wait for its next token because jobs have more than one branch, such
    as 1.4; branches beyond that wait ([performance](performance.md)). Not set: none do."""
    tenant_max_running: int | None = Field(default=None, ge=1)
    """Jobs of one tenant that are worked on at once; tenants then take turns. Not set: no limit."""
    tenant_requests_per_minute: int | None = Field(default=None, ge=1)
    """Requests to /v1 that are answered to one tenant in any minute, where the tenants file does not say. Not
    set: no limit."""
    tenant_streams: int | None = Field(default=None, ge=1)
    """Streams that are kept open for one tenant at once, where the tenants file does not say. Not set: no
    limit."""
    max_request_bytes: int = Field(default=1_000_000, ge=1)
    """Bytes that the body of a request may have."""
    max_upload_bytes: int = Field(default=200_000_000, ge=1)
    """Bytes that an upload of a batch's lines may have; each line is bound as a request is."""
    retention_days: float | None = Field(default=None, gt=0, le=MAX_DAYS)
    """Days after which ended jobs are purged. Not set: they are kept for ever."""
    pack_after_days: float | None = Field(default=None, ge=1, le=MAX_DAYS)
    """Days after which the journals of ended jobs are packed into a quarter of their room; they are read as before.
    From the first pack on, older releases cannot use the database ([upgrades](upgrades.md)). Not set: none are."""

    @model_validator(mode="after")
    def _an_engine(self) -> "Settings":
        if self.pools:
            return self
        try:
            self.engine_settings()
        except ValueError as error:
            involved = ["ENGINE", "ENGINE_OPTIONS", "GPUS_PER_REPLICA"]
            if self.engine == "openai":
                involved.insert(0, "UPSTREAM_URL")
            names = ", ".join(PREFIX + name for name in involved)
            raise ValueError(f"{names}: {error}") from error
        return self

    @model_validator(mode="after")
    def _pools_that_can_be_told_apart(self) -> "Settings":
        there = tuple(self.pools) or (DEFAULT_POOL,)
        if self.default_pool_name not in there:
            hint = suggest(self.default_pool_name, there)
            raise ValueError(f"default_pool: there is no pool {self.default_pool_name[:60]!r}; {hint}")
        for name in self.pools:
            if not re.fullmatch(POOL_NAME, name):
                raise ValueError(
                    f"pools: {name[:60]!r} is no name: lower-case letters, digits and dashes, at most 40"
                )
        fields = Settings.model_fields
        both = [name for name in OF_ONE_POOL if getattr(self, name) != fields[name].default]
        if both and self.pools:
            raise ValueError(
                f"pools are declared, so what one is made of stands there: take away {', '.join(both)}"
            )
        try:
            self.model_names()
        except ValueError as error:
            raise ValueError(f"pools: {error}") from error
        return self

    @model_validator(mode="after")
    def _one_process_that_can_be(self) -> "Settings":
        if self.ray is False and (why := self._why_ray()):
            raise ValueError(f"{PREFIX}RAY: false is for one process, and {why}")
        return self

    @model_validator(mode="after")
    def _tenants_that_are_asked(self) -> "Settings":
        if self.tenants is not None and self.ask_for_keys == "never":
            raise ValueError(
                f"{PREFIX}TENANTS names who may call, and {PREFIX}ASK_FOR_KEYS asks nobody: unset one"
            )
        return self

    @field_validator("webhook_networks")
    @classmethod
    def _networks(cls, written: tuple[str, ...]) -> tuple[str, ...]:
        for network in written:
            ip_network(network)
        return written

    @model_validator(mode="after")
    def _a_guarded_link(self) -> "Settings":
        secret = self.link_secret.get_secret_value() if self.link_secret is not None else ""
        if not secret.strip() and not is_loopback(self.link_host):
            raise ValueError(
                f"{PREFIX}LINK_HOST: organizers would be reached at {self.link_host} by anybody: "
                f"set {PREFIX}LINK_SECRET to a long random text, the same for REST and organizers"
            )
        return self

    def engine_settings(self) -> EngineSettings:
        """The settings of the one engine that decodes where no pools are declared. Raises ValueError."""
        key = self.upstream_key.get_secret_value() if self.upstream_key is not None else None
        said = {"model": self.model, "base_url": self.upstream_url, "api_key": key, "script": self.script}
        return engine_settings(self.engine, said, self.engine_options, self.gpus_per_replica)

    def pool_settings(self) -> tuple[PoolSettings, ...]:
        """What each pool is made of, the default one first. Raises ValueError."""
        if self.pools:
            waits = self.stall_seconds, self.grace_seconds, self.scale_down_seconds
            made = [pool.pool_settings(name, *waits) for name, pool in self.pools.items()]
            return tuple(sorted(made, key=lambda pool: pool.name != self.default_pool_name))
        pool = PoolSettings(
            engine=self.engine_settings(),
            takes_any=self.engine == "openai",
            replicas=self.replicas,
            gpus_per_replica=self.gpus_per_replica,
            max_decodes=self.max_decodes,
            stall_seconds=self.stall_seconds,
            grace_seconds=self.grace_seconds,
        )
        return (pool,)

    @property
    def on_ray(self) -> bool:
        """Whether a service of this machine starts a Ray of its own; else it is one process."""
        return self._why_ray() is not None if self.ray is None else self.ray

    def _why_ray(self) -> str | None:
        """What one process cannot hold."""
        if self.organizers > 1:
            return f"{self.organizers} organizers are asked for"
        for pool in self.pool_settings():
            if not pool.engine.light:
                return f"engine {pool.engine.name} of pool {pool.name} decodes in processes of Ray's"
            if pool.replicas > 1:
                return f"pool {pool.name} has {pool.replicas} replicas"
        return None

    def require_key(self, pool: str) -> None:
        """Raises BadSettings where this process lacks the key with which this pool's upstream is called."""
        declared = self.pools.get(pool)
        if declared is not None and declared.lacks_key:
            variable = declared.upstream_key_env
            raise BadSettings(
                f"pools.{pool}.upstream_key_env: {variable} is not set in this process's environment"
            )

    @property
    def default_pool_name(self) -> str:
        return self.default_pool or next(iter(self.pools), DEFAULT_POOL)

    def model_names(self) -> ModelNames:
        """The names under which jobs may ask for models. Raises ValueError where they cannot be told apart."""
        return ModelNames(self.pool_settings(), self.default_pool_name)

    @field_validator("database")
    @classmethod
    def _a_store(cls, url: str) -> str:
        if not _STORES.fullmatch(url) or url.endswith(":memory:"):
            raise ValueError("use sqlite:///FILE or postgresql://HOST/NAME")
        if not url.startswith("sqlite"):
            check_postgres_url(url)
        return url

    @field_validator("host")
    @classmethod
    def _a_host(cls, host: str) -> str:
        """An empty one would listen on all addresses."""
        if not host.strip():
            raise ValueError("name an address, such as 127.0.0.1")
        return host

    @field_validator("url")
    @classmethod
    def _an_address(cls, url: str | None) -> str | None:
        if url is None:
            return None
        try:
            parts = urlsplit(url)
            good = parts.scheme in {"http", "https"} and parts.hostname and (parts.port is None or parts.port)
        except ValueError:
            good = False
        if not good:
            raise ValueError("use http://HOST:PORT, such as http://127.0.0.1:8000")
        return url

    def require_shared_database(self) -> None:
        """Raises BadSettings for a database that only one machine has."""
        if self.database.startswith("sqlite"):
            raise BadSettings(
                f"{PREFIX}DATABASE: a service of several processes needs a postgresql:// database: "
                "SQLite is for anabranch up, which is one by itself"
            )

    def limits(self, model: str | None) -> Limits:
        """What holds for a job of this model. None is the pool's own."""
        pools = self.pool_settings()
        of_pools = {name: pool.price for name, pool in self.pools.items() if pool.price is not None}
        limits = PriceList(self.prices, of_pools, pools, self.model_names()).limits(model, self.width)
        return replace(limits, hedge=self.hedge, slowdown=self.slowdown or 0.0)

    def make_state_folder(self) -> None:
        """Raises BadSettings where that cannot be."""
        try:
            self.state.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BadSettings(
                f"{PREFIX}STATE: the folder {self.state} cannot be made ({error.strerror}): name one that can"
            ) from error


def is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
