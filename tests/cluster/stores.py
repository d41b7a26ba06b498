"""Runs PostgreSQL and Redis in pods of their own: they die with the bed, and may be killed like all the others."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests import databases
from tests.cluster.network import Network, NotHere
from tests.cluster.pod import Pod
from tests.deploy.manifests import DEPLOY
from tests.deploy.manifests import Pod as PodOfManifest

POSTGRES, REDIS = 5432, 6379
CERTIFICATES = "anabranch-redis"
"""In /etc of the pods, as the manifests mount them."""
KEY = f"{CERTIFICATES}/tls.key"
AS_POSTGRES = ("runuser", "-u", "postgres", "--") if os.geteuid() == 0 else ()


def postgres_pod(network: Network, folder: Path, password: str) -> tuple[Pod, str]:
    """An empty server, not started yet, and its URL. Raises NotHere."""
    binaries = databases.system_binaries()
    if binaries is None:
        raise NotHere("PostgreSQL (Debian: postgresql) is not on this machine")
    address, data = network.join("postgres"), folder / "data"
    folder.mkdir()
    secret = folder / "password"
    secret.write_text(password)
    _give_to_postgres(folder, secret)
    made = ("-A", "scram-sha-256", "--pwfile", secret, "--no-sync", "-U", "anabranch", "-D", data)
    subprocess.run(
        [*AS_POSTGRES, binaries / "initdb", *made],
        check=True,
        cwd=folder,
        stdout=subprocess.DEVNULL,
        timeout=60,
    )
    secret.unlink()
    (data / "pg_hba.conf").write_text(f"host all all {network.subnet}.0/24 scram-sha-256\n")
    settings = (f"listen_addresses={address}", f"port={POSTGRES}", f"unix_socket_directories={folder}")
    options = [word for setting in settings for word in ("-c", setting)]
    pod = Pod(
        "postgres", network, folder, {}, (*AS_POSTGRES, str(binaries / "postgres"), "-D", str(data), *options)
    )
    return pod, f"postgresql://anabranch:{password}@{address}:{POSTGRES}/postgres"


def redis_pod(network: Network, folder: Path, kind: PodOfManifest, files: Mapping[str, str]) -> Pod:
    """A server as the manifest starts it, but for its disk; not started yet. Raises NotHere."""
    if shutil.which("redis-server") is None:
        raise NotHere("Redis (Debian: redis-server) is not on this machine")
    network.join("redis")
    told = [word.replace("/data", str(folder)) for word in kind.container["args"]]
    return Pod("redis", network, folder, {}, (*kind.container["command"], *told), files)


@dataclass(frozen=True, slots=True)
class Certificates:
    """What Redis and Ray's heads show each other, as the files of their pods."""

    server: Mapping[str, str]
    client: Mapping[str, str]

    @classmethod
    def make(cls) -> "Certificates":
        """By the script that an operator runs. Raises NotHere."""
        if shutil.which("openssl") is None:
            raise NotHere("OpenSSL (Debian: openssl) is not on this machine")
        with tempfile.TemporaryDirectory() as made:
            script = DEPLOY / "components/gcs-redis/certificates.sh"
            subprocess.run([script, made], check=True, capture_output=True, timeout=60)
            return cls(*(_files_of(Path(made) / side) for side in ("server", "client")))

    @property
    def keys(self) -> str:
        """What nobody else may read."""
        return self.server[KEY] + self.client[KEY]


def _files_of(folder: Path) -> dict[str, str]:
    return {f"{CERTIFICATES}/{file.name}": file.read_text() for file in folder.iterdir()}


def _give_to_postgres(*paths: Path) -> None:
    for path in paths:
        shutil.chown(path, "postgres")
