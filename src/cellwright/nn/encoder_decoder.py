"""`EncoderDecoder`: a decoder that begins with the last states of an encoder."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from .bridge import Coder, layers_of, make_bridge
from .dropin import DropIn
from .errors import DtypeError, OptionError, ShapeError
from .options import whole_number
from .recurrent import Recurrent
from .regularise import hold_draws
from .report import BackendReport
from .shapes import batch_of
from .stack import Stack
from .stack_parts import rows_of
from .stateful import graph_of, output_width
from .steps import Lengths

GENERATE = "EncoderDecoder.generate"


class EncoderDecoder(nn.Module):
    """An encoder reads a sequence, and a decoder begins where it ended.

    That is ``_, state = encoder(x)`` and ``output, _ = decoder(y, state)``, checked
    beforehand, with a bridge where the states are not alike, and with `generate`, which
    feeds the decoder what it put out.

    Args:
        encoder: a layer of cellwright.nn or torch.nn, or a `Stack`.
        decoder: likewise, of one direction.
        bridge: None, where both have the same states; ``"linear"`` for a learned affine
            map from all last states of the encoder to all first states of the decoder;
            or a module that takes the encoder's state and returns the decoder's.

    Shape:
        - input, decoder_input: as for the encoder and the decoder, of any two lengths.
        - output: the decoder's.

    Raises:
        OptionError: without a bridge for states that are not alike, naming both.

    Example:
        >>> import torch, cellwright as cw
        >>> encoder = cw.nn.LSTM(input_size=3, hidden_size=8)
        >>> decoder = cw.nn.Recurrent("lstm", input_size=2, hidden_size=8)
        >>> model = cw.nn.EncoderDecoder(encoder, decoder)
        >>> x, y = torch.randn(20, 16, 3), torch.randn(5, 16, 2)
        >>> output, (h, c) = model(x, y)
        >>> tuple(output.shape)
        (5, 16, 8)
    """

    def __init__(
        self,
        encoder: Coder,
        decoder: Coder,
        bridge: Literal["linear"] | nn.Module | None = None,
    ):
        super().__init__()
        for name, coder in (("encoder", encoder), ("decoder", decoder)):
            if not isinstance(coder, Recurrent | nn.RNNBase | Stack):
                raise OptionError(
                    f"EncoderDecoder: {name} is a {type(coder).__name__}; it is a "
                    "layer of cellwright.nn or torch.nn, or a Stack"
                )
            further = ", ".join(
                i.name for layer in layers_of(coder) for i in graph_of(layer).inputs[1:]
            )
            if further:
                raise OptionError(
                    f"EncoderDecoder: {name} reads further inputs ({further}), which "
                    "its call has no place for\n"
                    "  fix: the two lines themselves: _, state = encoder(x, ...); "
                    "output, _ = decoder(y, state, ...)"
                )
        if encoder.batch_first != decoder.batch_first:
            raise OptionError(
                "EncoderDecoder: both read one layout\n"
                f"  encoder  batch_first={encoder.batch_first}\n"
                f"  decoder  batch_first={decoder.batch_first}"
            )
        if decoder.bidirectional:
            raise OptionError(
                "EncoderDecoder: a decoder reads in one direction, as what it puts out "
                "comes back as its input; got bidirectional=True"
            )
        self.encoder, self.decoder = encoder, decoder
        self.bridge: nn.Module | None = make_bridge(encoder, decoder, bridge)

    def encode(
        self,
        input: Tensor | PackedSequence,  # torch.nn's name
        *,
        lengths: Lengths | None = None,
    ) -> Any:
        """Return what the decoder begins with.

        Args:
            input: what the encoder reads.
            lengths: how many steps each row has; the state is that of its own last one.
        """
        asked = {} if lengths is None else {"lengths": lengths}
        if asked and not isinstance(self.encoder, Recurrent | DropIn | Stack):
            kind = type(self.encoder).__name__
            raise OptionError(
                f"EncoderDecoder: the encoder is torch.nn's {kind}, which has no "
                f"lengths: cellwright.convert(model) makes it one of ours"
            )
        _, state = self.encoder(input, **asked)
        return state if self.bridge is None else self.bridge(state)

    def forward(
        self,
        input: Tensor | PackedSequence,
        decoder_input: Tensor | PackedSequence,
        *,
        lengths: Lengths | None = None,
    ) -> tuple[Any, Any]:
        """Run the decoder over a sequence that is known (teacher forcing).

        Args:
            input: what the encoder reads.
            decoder_input: what the decoder reads: in training the target, a step late.
            lengths: how many steps each row of the input has.

        Returns:
            The decoder's output at every step, and its last state.

        Raises:
            ShapeError: for inputs of two batches.
        """
        state = self.encode(input, lengths=lengths)
        self._require_one_batch(input, decoder_input)
        return self.decoder(decoder_input, state)

    def backend_report(self) -> BackendReport:
        """Return which backend runs each layer, and why."""
        coders = {"encoder": self.encoder, "decoder": self.decoder}
        rows = [row for name, coder in coders.items() for row in rows_of(name, coder)]
        return BackendReport(tuple(rows))

    def generate(
        self,
        input: Tensor | PackedSequence,
        first: Tensor,
        steps: int,
        feed: Callable[[Tensor], Tensor] | None = None,
        *,
        lengths: Lengths | None = None,
    ) -> tuple[Tensor, Any]:
        """Run the decoder on what it puts out itself, step by step.

        Gradients go through all of it; write ``with torch.no_grad():`` without them. In
        training the decoder drops the same units and weights at every step, as it does
        for a sequence that is known.

        Args:
            input: what the encoder reads.
            first: what the decoder reads at its first step.
            steps: how many it takes.
            feed: makes what the decoder reads next of what it put out, such as
                ``lambda h: embedding(head(h).argmax(-1))``; without it that is read as
                it is.
            lengths: how many steps each row of the input has.

        Returns:
            The decoder's output at every step, and its last state.

        Shape:
            - first: ``[B, I]``, ``[I]`` unbatched; as what ``feed`` returns.
            - output: ``[T, B, O]`` in the decoder's layout, with T steps; what ``feed``
              takes is ``[B, O]``.

        Raises:
            OptionError: for steps that are no number, or a feed that is no function.
            ShapeError, DtypeError: for a first, or what ``feed`` returns, that the
                decoder cannot read.
        """
        whole_number(GENERATE, "steps", steps)
        self._check_feed(feed)
        state = self.encode(input, lengths=lengths)
        rows, batched = batch_of(input, self.encoder.batch_first)
        shape = [*([rows] if batched else []), self.decoder.input_size]
        axis = 1 if self.decoder.batch_first and batched else 0
        x, name, outputs = first, "first", list[Tensor]()
        ours = [
            layer
            for layer in layers_of(self.decoder)
            if isinstance(layer, Recurrent | DropIn)
        ]
        with hold_draws(ours):
            for step in range(steps):
                if step:
                    x, name = outputs[-1], "the output"
                    if feed is not None:
                        x, name = feed(x), "what feed returns"
                _require_step(name, x, shape)
                output, state = self.decoder(x.unsqueeze(axis), state)
                outputs.append(output.squeeze(axis))
        return torch.stack(outputs, axis), state

    def _check_feed(self, feed: object) -> None:
        if feed is not None and not callable(feed):
            raise OptionError(
                f"{GENERATE}: feed is {feed!r}; it is a function from what the decoder "
                "puts out to what it reads, or None"
            )
        if feed is None and self.decoder.input_size != _width(self.decoder):
            raise ShapeError(
                f"{GENERATE}: the decoder reads what it puts out\n"
                f"  found  {_width(self.decoder)} features put out, "
                f"{self.decoder.input_size} read\n"
                "  fix    feed= makes one of the other"
            )

    def _require_one_batch(self, input: Any, decoder_input: object) -> None:
        """Raise ShapeError unless the decoder reads as many rows as the encoder did.

        What is no input at all is left to the decoder, which says what it reads.
        """
        if isinstance(decoder_input, Tensor):
            if decoder_input.dim() not in (2, 3):
                return
        elif not isinstance(decoder_input, PackedSequence):
            return
        expected = batch_of(input, self.encoder.batch_first)
        if (found := batch_of(decoder_input, self.decoder.batch_first)) != expected:
            raise ShapeError(
                "EncoderDecoder: both inputs are of one batch, row by row\n"
                f"  input          {_rows_in_words(input, expected)}\n"
                f"  decoder_input  {_rows_in_words(decoder_input, found)}"
            )


def _require_step(name: str, x: object, shape: list[int]) -> None:
    """Raise unless something can be read at one step."""
    if not isinstance(x, Tensor):
        raise DtypeError(f"{GENERATE}: {name} is a {type(x).__name__}, not a Tensor")
    if list(x.shape) != shape:
        words = "[B, I]" if len(shape) > 1 else "[I], as the input has no batch"
        raise ShapeError(
            f"{GENERATE}: {name} is what the decoder reads at one step, {words}\n"
            f"  expected  {shape}\n"
            f"  got       {list(x.shape)}"
        )


def _rows_in_words(x: Tensor | PackedSequence, batch: tuple[int, bool]) -> str:
    shape = list(x.shape) if isinstance(x, Tensor) else "packed"
    return f"{shape}, B={batch[0]}" if batch[1] else f"{shape}, without a batch"


def _width(coder: Coder) -> int:
    return coder.output_size if isinstance(coder, Stack) else output_width(coder)
