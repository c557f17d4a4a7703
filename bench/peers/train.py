"""The same model trained elsewhere: GPT-NeoX in plain PyTorch, DistributedDataParallel over Gloo and torch.optim.Adam, each rank with one thread.

Prints one line of JSON: the seconds of each step, those of the slower rank. `--reduce-each` reduces the gradients after every micro-batch,
as a training loop does that does not ask for no_sync().
"""

import argparse
import contextlib
import json
import os
import time

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn
from torch.nn import functional


class Layer(nn.Module):
    def __init__(self, options):
        super().__init__()
        self.heads, self.size, self.rotary = options.heads, options.hidden // options.heads, options.rotary
        self.input_norm, self.post_norm = nn.LayerNorm(options.hidden), nn.LayerNorm(options.hidden)
        self.fused, self.dense = nn.Linear(options.hidden, 3 * options.hidden), nn.Linear(options.hidden, options.hidden)
        self.widen, self.narrow = nn.Linear(options.hidden, options.inner), nn.Linear(options.inner, options.hidden)

    def turn(self, x, cos, sin):
        turned, rest = x[..., : self.rotary], x[..., self.rotary :]
        half = self.rotary // 2
        swapped = torch.cat((-turned[..., half:], turned[..., :half]), dim=-1)
        return torch.cat((turned * cos + swapped * sin, rest), dim=-1)

    def attend(self, x, cos, sin, mask):
        records, tokens, hidden = x.shape
        fused = self.fused(x).view(records, tokens, self.heads, 3 * self.size).transpose(1, 2)
        query, key, value = fused.split(self.size, dim=-1)
        query, key = self.turn(query, cos, sin), self.turn(key, cos, sin)
        scores = query @ key.transpose(-1, -2) / self.size**0.5
        weights = functional.softmax(scores.masked_fill(mask, torch.finfo(scores.dtype).min), dim=-1)
        return self.dense((weights @ value).transpose(1, 2).reshape(records, tokens, hidden))

    def forward(self, x, cos, sin, mask):
        inner = functional.gelu(self.widen(self.post_norm(x)), approximate="tanh")
        return x + self.attend(self.input_norm(x), cos, sin, mask) + self.narrow(inner)


class Model(nn.Module):
    def __init__(self, options):
        super().__init__()
        self.embed_in = nn.Embedding(options.vocabulary, options.hidden)
        self.layers = nn.ModuleList(Layer(options) for _ in range(options.layers))
        self.norm = nn.LayerNorm(options.hidden)
        self.embed_out = nn.Linear(options.hidden, options.vocabulary, bias=False)
        places = torch.arange(options.columns).float()
        angles = torch.outer(places, 10000 ** (-torch.arange(0, options.rotary, 2).float() / options.rotary))
        angles = torch.cat((angles, angles), dim=-1)
        # No buffers: the ranks would send them to each other.
        self.tables = (angles.cos(), angles.sin(), torch.ones(options.columns, options.columns, dtype=torch.bool).triu(1))

    def forward(self, ids):
        x = self.embed_in(ids)
        for layer in self.layers:
            x = layer(x, *self.tables)
        scores = self.embed_out(self.norm(x))[:, :-1]
        return functional.cross_entropy(scores.reshape(-1, scores.shape[-1]), ids[:, 1:].reshape(-1))


def work(rank, options, queue):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", rank=rank, world_size=options.ranks)
    torch.manual_seed(1)
    model = Model(options)
    trained = nn.parallel.DistributedDataParallel(model) if options.ranks > 1 else model
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-5)
    ids = torch.randint(0, options.vocabulary, (options.batch, options.columns))
    seconds = []
    # The first step touches the memory.
    for _ in range(options.steps + 1):
        dist.barrier()
        began = time.perf_counter()
        optimizer.zero_grad()
        for micro_batch in range(options.accumulation):
            waits = options.ranks > 1 and not options.reduce_each and micro_batch + 1 < options.accumulation
            with trained.no_sync() if waits else contextlib.nullcontext():
                (trained(ids) / options.accumulation).backward()
        optimizer.step()
        seconds.append(time.perf_counter() - began)
    queue.put(seconds[1:])


def main():
    parser = argparse.ArgumentParser()
    for name in ("hidden", "heads", "layers", "inner", "vocabulary", "rotary", "ranks", "batch", "columns", "accumulation", "steps"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--reduce-each", action="store_true")
    options = parser.parse_args()
    os.environ["MASTER_ADDR"], os.environ["MASTER_PORT"] = "127.0.0.1", str(29500 + os.getpid() % 10000)
    queue = mp.get_context("spawn").SimpleQueue()
    context = mp.spawn(work, args=(options, queue), nprocs=options.ranks, join=False)
    ranks = []
    while len(ranks) < options.ranks:
        # A rank that failed says nothing: joining it tells why.
        context.join(timeout=0.1)
        while not queue.empty():
            ranks.append(queue.get())
    print(json.dumps({"torch": torch.__version__, "seconds": [max(step) for step in zip(*ranks)]}))


if __name__ == "__main__":
    main()
