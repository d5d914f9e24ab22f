"""Models of training.py in PyTorch, which training.py starts in a process of its own.

Reads requests from standard input, one JSON object a line, and answers each with the seconds of its updates and the
number of the model's parameters.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import torch


class Model(torch.nn.Module):
    """An encoder and a decoder of `nn.LSTM`, the fastest that PyTorch has where all inputs are known beforehand."""

    def __init__(self, case: dict[str, Any]) -> None:
        super().__init__()
        self.case = case
        source_size, target_size, units = case["source_size"], case["target_size"], case["units"]
        width = case["embedding"]
        self.is_repeat = case["model"] == "repeat"
        self.source_table = torch.nn.Embedding(source_size, width) if width else None
        self.target_table = torch.nn.Embedding(target_size, width) if width else None
        has_head = case["kind"] == "tokens"
        shared = {"num_layers": case["layers"], "dropout": case["dropout"], "batch_first": True}
        self.encoder = torch.nn.LSTM(width or source_size, units, **shared)
        decoder_input = units if self.is_repeat else width or target_size
        self.decoder = torch.nn.LSTM(decoder_input, units if has_head else target_size, **shared)
        self.dropout = torch.nn.Dropout(case["dropout"])
        self.head = torch.nn.Linear(units, target_size) if has_head else None

    def forward(self, source: torch.Tensor, previous: torch.Tensor) -> torch.Tensor:
        """Return the scores of every step."""
        if self.source_table is not None:
            source = self.dropout(self.source_table(source))
        _, state = self.encoder(source)
        if self.case["sampling_rate"]:
            return self._sample(previous, state)
        if self.is_repeat:
            outputs, _ = self.decoder(state[0][0][:, None].expand(-1, previous.shape[1], -1))
        else:
            if self.target_table is not None:
                previous = self.dropout(self.target_table(previous))
            outputs, _ = self.decoder(previous, state)
        return outputs if self.head is None else self.head(outputs)

    def _sample(self, previous: torch.Tensor, state: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        """Run step by step, some rows of each step fed the model's last output."""
        scores, last = [], previous[:, 0]
        for index in range(previous.shape[1]):
            is_own = torch.rand(len(previous)) < self.case["sampling_rate"]
            fed = torch.where(is_own, last, previous[:, index])
            output, state = self.decoder(self.dropout(self.target_table(fed))[:, None], state)
            scores.append(self.head(output[:, 0]))
            last = scores[-1].argmax(1)
        return torch.stack(scores, 1)


class Fit:
    """A model with its optimiser and one batch, drawn beforehand."""

    def __init__(self, case: dict[str, Any]) -> None:
        torch.manual_seed(0)
        self.is_tokens = case["kind"] == "tokens"
        self.model = Model(case)
        self.optimizer = torch.optim.Adam(self.model.parameters(), 1e-3, fused=True)
        shapes = (case["batch"], case["source_steps"]), (case["batch"], case["target_steps"])
        if self.is_tokens:
            source, self.target = (
                torch.randint(4, size, shape)
                for size, shape in zip((case["source_size"], case["target_size"]), shapes, strict=True)
            )
            previous = self.target.roll(1, dims=1)
            if not case["embedding"]:  # one-hot symbols are made beforehand too
                source = torch.nn.functional.one_hot(source, case["source_size"]).float()
                previous = torch.nn.functional.one_hot(previous, case["target_size"]).float()
            self.source, self.previous = source, previous
        else:
            self.source = self.target = self.previous = torch.rand(*shapes[0], case["source_size"])

    def update(self) -> None:
        """Make one update of the weights, the gradient clipped."""
        outputs = self.model(self.source, self.previous)
        if self.is_tokens:
            loss = torch.nn.functional.cross_entropy(outputs.flatten(0, 1), self.target.flatten())
        else:
            loss = torch.nn.functional.mse_loss(outputs, self.target)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()


def main() -> None:
    """Answer until the input ends."""
    torch.set_num_threads(int(sys.argv[1]))
    print(json.dumps(torch.__version__), flush=True)
    fits: dict[str, Fit] = {}
    for line in sys.stdin:
        request = json.loads(line)
        name = request["case"]["name"]
        if name not in fits:
            fits[name] = Fit(request["case"])
        fit = fits[name]
        began = time.perf_counter()
        for _ in range(request["updates"]):
            fit.update()
        seconds = time.perf_counter() - began
        num_parameters = sum(parameter.numel() for parameter in fit.model.parameters())
        print(json.dumps({"seconds": seconds, "parameters": num_parameters}), flush=True)


if __name__ == "__main__":
    main()
