"""Which gradients are asked for, and those that can be derived again."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def needs_gradient(*tensors: Tensor | None) -> bool:
    """Whether a gradient to one of these is asked for."""
    return torch.is_grad_enabled() and any(tensor is not None and tensor.requires_grad for tensor in tensors)


def second_order(
    outputs: Sequence[Tensor],
    cotangents: Sequence[Tensor | None],
    inputs: Sequence[Tensor],
    needs_input_grad: Sequence[bool],
) -> tuple[Tensor | None, ...]:
    """Gradients of inputs that can be derived again, None where not needed: for kernels without a second-order rule.

    Args:
        outputs: Made from the inputs by the reference.
        cotangents: Of the outputs; None for those that nothing depends on.
        inputs: Differentiable ones, in order.
        needs_input_grad: Of each input.
    """
    given = [(value, v) for value, v in zip(outputs, cotangents, strict=True) if v is not None and value.requires_grad]
    wanted = [tensor for tensor, is_wanted in zip(inputs, needs_input_grad, strict=True) if is_wanted]
    values, v_values = [value for value, _ in given], [v for _, v in given]
    gradients = iter(torch.autograd.grad(values, wanted, v_values, create_graph=True, allow_unused=True))
    return tuple(next(gradients) if is_wanted else None for is_wanted in needs_input_grad)
