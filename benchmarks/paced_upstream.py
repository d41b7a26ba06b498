"""An upstream that only keeps time: a step of all its streams takes so long, and so much longer with each of them.

    python benchmarks/paced_upstream.py [--tokens 20] [--step-ms 40] [--stream-ms 0.6]

It computes nothing, so what a small machine does with it is what a large engine's pace would have done. It prints its
port.
"""

import argparse
import asyncio
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.torch_upstream import Batch, serve_batch


class Paced(Batch):
    """Streams that share steps of this length, in milliseconds."""

    def __init__(self, step: float, stream: float) -> None:
        super().__init__(layers=0, width=8)
        self._fixed, self._each = step / 1000, stream / 1000

    def _step(self, streams: int) -> None:
        time.sleep(self._fixed + self._each * streams)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tokens", type=int, default=20, help="of each answer")
    parser.add_argument("--step-ms", type=float, default=40.0)
    parser.add_argument("--stream-ms", type=float, default=0.6)
    options = parser.parse_args()
    asyncio.run(serve_batch(Paced(options.step_ms, options.stream_ms), options.tokens))
