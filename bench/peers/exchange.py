"""What the same step costs elsewhere: Gloo's all-reduce of one flat gradient and torch.optim.Adam, each rank with one thread.

Usage: python3 exchange.py PARAMETERS ROUNDS. Prints one line of JSON: seconds of each round's all-reduce and of its optimizer step,
those of the slower rank.
"""

import json
import os
import sys
import time

import torch
import torch.distributed as dist
import torch.multiprocessing as mp

RANKS = 2


def work(rank, parameters, rounds, queue):
    torch.set_num_threads(1)
    os.environ.setdefault("MASTER_ADDR", "127.0.0.1")
    dist.init_process_group("gloo", rank=rank, world_size=RANKS)
    weights = torch.nn.Parameter(torch.zeros(parameters))
    weights.grad = torch.full((parameters,), 1e-3)
    optimizer = torch.optim.Adam([weights], lr=1e-4)
    seconds = []
    # The first round touches the memory.
    for _ in range(rounds + 1):
        dist.barrier()
        began = time.perf_counter()
        dist.all_reduce(weights.grad)
        reduced = time.perf_counter()
        optimizer.step()
        stepped = time.perf_counter()
        seconds.append((reduced - began, stepped - reduced))
    queue.put(seconds[1:])


def main():
    parameters, rounds = int(sys.argv[1]), int(sys.argv[2])
    os.environ["MASTER_PORT"] = str(29500 + os.getpid() % 10000)
    queue = mp.get_context("spawn").SimpleQueue()
    context = mp.spawn(work, args=(parameters, rounds, queue), nprocs=RANKS, join=False)
    ranks = []
    while len(ranks) < RANKS:
        # A rank that failed says nothing: joining it tells why.
        context.join(timeout=0.1)
        while not queue.empty():
            ranks.append(queue.get())
    slower = [[max(rank[i][part] for rank in ranks) for i in range(rounds)] for part in (0, 1)]
    print(json.dumps({"torch": torch.__version__, "allReduce": slower[0], "adam": slower[1]}))


if __name__ == "__main__":
    main()
