"""Builds the one Ray Serve application of a service: the organizers, and the pools of replicas that decode for them.

* *On a cluster* it is deployed by a config that says `import_path: anabranch.service.serving:app` and
  `name: anabranch`, put to the head as KubeRay does. Serve compares that text: the same config put twice changes no
  process. `anabranch up` deploys the same application on a Ray of its own.
* *Nothing but names is an argument.* Serve keeps arguments in the cluster's state and shows them. Each replica reads
  settings, and the secrets among them, for itself: from the environment and the file of its own pod.
"""

from functools import partial
from typing import Any

from pydantic import BaseModel, ConfigDict

from anabranch.service.organizer.deployment import APP, organizer
from anabranch.service.settings.source import OwnEnvironment, SettingsSource, read_pool
from anabranch.workers.pool.deployment import worker_pool


class Arguments(BaseModel):
    """What the config may say in `args`."""

    model_config = ConfigDict(extra="forbid")

    config: str | None = None
    """YAML file of settings, there on every machine; the environment is over it. Not said: ANABRANCH_CONFIG's."""


def app(args: Arguments) -> Any:
    """The application, for `import_path` of a Serve config. Raises BadSettings."""
    return application(OwnEnvironment(args.config), private=False)


def application(source: SettingsSource, *, private: bool) -> Any:
    """The application, placed by the settings as they are here. `private`: one machine, which is its own."""
    settings = source.read()
    placed = settings.places and not private
    pools = [
        worker_pool(pool, partial(read_pool, source, pool.name), app=APP, private=private, placed=placed)
        for pool in settings.pool_settings()
    ]
    return organizer(settings, source, pools=pools, private=private)
