"""Runs PostgreSQL and Redis in pods of their own: they die with the bed, and may be killed like all the others."""

import os
import shutil
import subprocess
from pathlib import Path

from tests import databases
from tests.cluster.network import Network, NotHere
from tests.cluster.pod import Pod

POSTGRES, REDIS = 5432, 6379
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


def redis_pod(network: Network, folder: Path, password: str) -> Pod:
    """A server that keeps what it is told in memory; not started yet. Raises NotHere."""
    program = shutil.which("redis-server")
    if program is None:
        raise NotHere("Redis (Debian: redis-server) is not on this machine")
    address = network.join("redis")
    told = ("--bind", address, "--port", str(REDIS), "--save", "", "--requirepass", password)
    return Pod("redis", network, folder, {}, (program, *told))


def _give_to_postgres(*paths: Path) -> None:
    for path in paths:
        shutil.chown(path, "postgres")
