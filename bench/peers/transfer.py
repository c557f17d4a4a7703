"""One direction between two processes: Gloo's send and recv of one flat vector, again and again.

Usage: python3 transfer.py VALUES PASSES. Prints one line of JSON: bytes per second, as the receiver sees it.
"""

import json
import os
import sys
import time

import torch
import torch.distributed as dist
import torch.multiprocessing as mp

RANKS = 2


def work(rank, values, passes, queue):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", rank=rank, world_size=RANKS)
    vector = torch.full((values,), float(rank))
    # The first pass touches the memory.
    for measured in (False, True):
        dist.barrier()
        began = time.perf_counter()
        for _ in range(passes if measured else 1):
            dist.send(vector, 1) if rank == 0 else dist.recv(vector, 0)
        seconds = time.perf_counter() - began
    if rank == 1:
        queue.put(passes * values * vector.element_size() / seconds)
    dist.barrier()


def main():
    values, passes = int(sys.argv[1]), int(sys.argv[2])
    os.environ["MASTER_ADDR"], os.environ["MASTER_PORT"] = "127.0.0.1", str(29500 + os.getpid() % 10000)
    queue = mp.get_context("spawn").SimpleQueue()
    # Joined, so that a rank that fails is told of.
    mp.spawn(work, args=(values, passes, queue), nprocs=RANKS)
    print(json.dumps({"torch": torch.__version__, "bytesPerSecond": queue.get()}))


if __name__ == "__main__":
    main()
