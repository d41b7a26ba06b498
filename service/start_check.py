"""Checks before a start: settings with which no job could be answered are refused in a sentence that names them, and a
store that is away, or not migrated yet, is waited for.
"""

import asyncio
import re
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from anabranch.dag.errors import UnknownPolicy
from anabranch.dag.policy import policy_named
from anabranch.service.policies import load_policies
from anabranch.service.settings import BadSettings, Settings
from anabranch.service.store.errors import SchemaBehind, StoreAway, StoreRefuses
from anabranch.workers.engines.scripted import ScriptedSettings

AGAIN_SECONDS = 1.0


async def await_schema(database: str, report: Callable[[str], None]) -> None:
    """Returns when the database answers and this program can use its schema. Until then `report` hears what is missing.

    A process that ended for it would be started again after longer and longer pauses by Kubernetes, and after the third
    time not at all by Ray Serve, not even for the same config put anew. Raises SchemaAhead and StoreRefuses: waiting
    mends nothing then.
    """
    # Loaded late: settings are checked by commands that read no store.
    from anabranch.service.store.sql import schema

    told = ""
    while True:
        try:
            await schema.check(database)
        except StoreRefuses:
            raise
        except (StoreAway, SchemaBehind) as error:
            if str(error) != told:
                told = str(error)
                report(told)
        else:
            return
        await asyncio.sleep(AGAIN_SECONDS)


def check_settings(settings: Settings) -> None:
    """Loads the policies, and reads what the settings name. Raises BadSettings."""
    load_policies(settings.policy_modules)
    try:
        policy_named(settings.policy)
    except UnknownPolicy as error:
        raise BadSettings(f"ANABRANCH_POLICY: {error}") from error
    for pool in settings.pool_settings():
        if isinstance(pool.engine, ScriptedSettings) and isinstance(pool.engine.script, Path):
            _check_script(
                pool.engine.script, "ANABRANCH_SCRIPT" if not settings.pools else f"pools.{pool.name}.script"
            )


def _check_script(path: Path, where: str) -> None:
    from anabranch.workers.engines.script import Rules, script_from

    try:
        found = script_from(path)
        for rule in found.rules:
            re.compile(rule.matches)
        TypeAdapter(Rules).validate_python(asdict(found))
    except OSError as error:
        raise BadSettings(f"{where}: {path} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        fault = error.errors()[0]
        told = f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}"
        raise BadSettings(f"{where}: {path} holds no script ({told})") from error
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError, re.error) as error:
        told = f"{type(error).__name__}: {error}"
        raise BadSettings(f"{where}: {path} holds no script ({told})") from error
