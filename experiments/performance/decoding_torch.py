"""The tutorial's model as a batched greedy loop in PyTorch, for decoding.py, which starts this in a process of its own.

Reads requests from standard input, one JSON object a line, and answers each with the seconds it took and the ids.
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np
import torch

START, STOP = 1, 2
State = tuple[torch.Tensor, torch.Tensor]


class Model:
    """The weights, in the form that PyTorch's cell wants and in that of the products written out."""

    def __init__(self, path: str) -> None:
        arrays = {name: torch.from_numpy(array.copy()) for name, array in np.load(path).items()}
        self.head_kernel, self.head_bias = arrays["head_kernel"], arrays["head_bias"]
        self.tables, self.kernels, self.cells = {}, {}, {}
        for side in ("encoder", "decoder"):
            kernel, recurrent = arrays[f"{side}_kernel"], arrays[f"{side}_recurrent_kernel"]
            # One-hot symbols times the kernel are its rows; both frameworks order the gates alike.
            self.tables[side] = kernel + arrays[f"{side}_bias"]
            self.kernels[side] = recurrent
            cell = torch.nn.LSTMCell(kernel.shape[0], recurrent.shape[0])
            cell.weight_ih.data, cell.weight_hh.data = kernel.T.contiguous(), recurrent.T.contiguous()
            cell.bias_ih.data, cell.bias_hh.data = arrays[f"{side}_bias"], torch.zeros_like(arrays[f"{side}_bias"])
            self.cells[side] = cell

    def step(self, cell: str, side: str, ids: torch.Tensor, state: State) -> State:
        """Make one step from symbols."""
        if cell == "LSTMCell":
            size = self.tables[side].shape[0]
            return self.cells[side](torch.nn.functional.one_hot(ids, size).float(), state)
        gates = torch.addmm(self.tables[side][ids], state[0], self.kernels[side])
        write, keep, candidate, show = gates.chunk(4, dim=1)
        memory = torch.sigmoid(keep) * state[1] + torch.sigmoid(write) * torch.tanh(candidate)
        return torch.sigmoid(show) * torch.tanh(memory), memory

    def decode(self, cell: str, source: torch.Tensor, steps: int) -> torch.Tensor:
        """Decode a batch; the stop is forbidden, and the loop looks after each step whether a row is left."""
        batch, units = len(source), self.kernels["encoder"].shape[0]
        state = (torch.zeros(batch, units), torch.zeros(batch, units))
        for column in source.T:
            state = self.step(cell, "encoder", column, state)
        ids, alive, made = torch.full((batch,), START), torch.ones(batch, dtype=torch.bool), []
        for _ in range(steps):
            state = self.step(cell, "decoder", ids, state)
            scores = torch.addmm(self.head_bias, state[0], self.head_kernel)
            scores[:, STOP] = float("-inf")
            ids = scores.argmax(dim=1)
            alive &= ids != STOP
            made.append(ids)
            if not alive.any():
                break
        return torch.stack(made, dim=1)


def main() -> None:
    """Answer until the input ends."""
    torch.set_num_threads(int(sys.argv[2]))
    model = Model(sys.argv[1])
    print(json.dumps(torch.__version__), flush=True)
    with torch.inference_mode():
        for line in sys.stdin:
            request = json.loads(line)
            source = torch.tensor(request["source"])
            began = time.perf_counter()
            ids = model.decode(request["cell"], source, request["steps"])
            seconds = time.perf_counter() - began
            print(json.dumps({"seconds": seconds, "ids": ids.tolist()}), flush=True)


if __name__ == "__main__":
    main()
