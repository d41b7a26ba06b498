"""Deploys the service on the Ray that this process has started, and tells whether it is ready."""

import time

from ray import serve

from anabranch.service.organizer.deployment import APP, NAME
from anabranch.service.readiness import NotReady, Report
from anabranch.service.serving import application
from anabranch.service.settings.source import SettingsSource
from anabranch.workers.pool.status import FAILED, pool_status
from anabranch.workers.settings import PoolSettings

POLL_SECONDS = 0.25


def deploy(source: SettingsSource) -> None:
    """Asks Serve for organizers and pool, and returns at once."""
    target = serve.RunTarget(application(source, private=True), name=APP, route_prefix=None)
    serve.run_many([target], wait_for_ingress_deployment_creation=False, wait_for_applications_running=False)


def wait_for_organizers(report: Report, seconds: float) -> None:
    """Until all of them run; `report` hears of it when they do not yet. Raises NotReady."""
    give_up, told = time.monotonic() + seconds, False
    while True:
        running, message, failed = _organizers()
        if running:
            return
        if failed or time.monotonic() > give_up:
            raise NotReady(f"the organizers do not start: {message}")
        if not told:
            report("organizers starting")
            told = True
        time.sleep(POLL_SECONDS)


def wait_for_pool(pool: PoolSettings, report: Report, seconds: float) -> None:
    """Until one replica decodes; `report` hears each change. Raises NotReady."""
    give_up, told = time.monotonic() + seconds, ""
    while True:
        status = pool_status(pool, app=APP)
        if status.words != told:
            told = status.words
            report(told)
        if status.running:
            return
        if status.failed or time.monotonic() > give_up:
            raise NotReady(told)
        time.sleep(POLL_SECONDS)


def _organizers() -> tuple[bool, str, bool]:
    """Whether they run, what Serve says of them, and whether it has given up."""
    application = serve.status().applications.get(APP)
    deployment = application.deployments.get(NAME) if application is not None else None
    if application is None or deployment is None:
        return False, application.message if application is not None else "", False
    return deployment.status == "HEALTHY", deployment.message, deployment.status in FAILED
