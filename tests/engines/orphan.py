"""A program that starts a replica, prints its process id and waits to be killed."""

import asyncio
import sys
from pathlib import Path

from cupola.engines.llamacpp.replica import LlamaCppReplica


async def main(weights: Path, folder: Path) -> None:
    replica = LlamaCppReplica(
        weights, folder, slots=1, context_length=None, threads=1, log_folder=folder
    )
    await replica.start()
    print(replica.pid, flush=True)
    await asyncio.sleep(60)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2])))
