"""Imports a mutant in place of its module: a plug-in of pytest."""

import json
import os
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType

mutant = json.loads(os.environ["MUTANT"])
import_as_written = SourceFileLoader.get_code


def import_mutant(loader: SourceFileLoader, name: str) -> CodeType | None:
    if Path(loader.path).resolve() == Path(mutant["path"]).resolve():
        return compile(mutant["text"], loader.path, "exec")
    return import_as_written(loader, name)


SourceFileLoader.get_code = import_mutant  # type: ignore[method-assign,assignment]
