"""The blocks of diffusers' ``UNet2DModel`` with the same weights, names and results, arranged for
speed.

``UNet2DModel`` defaults to attention heads of 8 channels, so one layer scores 32 x 256 x 256 pairs
an image: attention and the bfloat16 GroupNorm, not the convolutions, then fill a CPU's time
(figures in docs/LOG.md). :func:`retune` swaps those blocks in place; the state dict keeps its keys
and order.

Letters: B items, C channels, H heads, N tokens (height * width), D channels a head.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

MANY_PIXELS = 1024  # from 32 x 32 on, our GroupNorm backward beats PyTorch's bfloat16 one


class _GroupNorm(torch.autograd.Function):
    """GroupNorm whose backward is a few whole-tensor sums: 3 to 6 times faster than ``aten`` for
    bfloat16, channels_last.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, groups: int, eps: float
    ) -> Tensor:
        b, c, height, width = x.shape
        y, mean, rstd = torch.native_group_norm(x, weight, bias, b, c, height * width, groups, eps)
        ctx.save_for_backward(x, weight, mean, rstd)
        return y

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of x, weight and bias from that of y (B, C, H, W); none for groups and eps."""
        x, weight, mean, rstd = ctx.saved_tensors
        b, c, height, width = x.shape
        groups = mean.shape[1]
        x, dy = x.permute(0, 2, 3, 1), grads[0].permute(0, 2, 3, 1)  # (B, height, width, C)
        # (B, G, 1)
        gain, mean, rstd = (
            weight.float().view(1, groups, -1),
            mean.float()[..., None],
            rstd.float()[..., None],
        )
        # Row by row first: a sum to another dtype would convert the whole tensor, one to bfloat16
        # would round once too coarsely.
        sum_dy = dy.sum(2).sum(1, dtype=torch.float32).view(b, groups, -1)  # (B, G, C / G)
        sum_dyx = (dy * x).sum(2).sum(1, dtype=torch.float32).view(b, groups, -1)
        d_weight = ((sum_dyx - mean * sum_dy) * rstd).sum(0).flatten()
        # dx = gain * rstd * dy + slope * x + offset, where slope and offset are the same for a
        # whole group
        n = height * width * (c // groups)
        along = (gain * (sum_dyx - mean * sum_dy)).sum(2, keepdim=True)
        slope = -along * rstd**3 / n
        offset = -slope * mean - (gain * sum_dy).sum(2, keepdim=True) * rstd / n

        def channels(value: Tensor) -> Tensor:
            return value.expand(b, groups, c // groups).reshape(b, 1, 1, c).to(x.dtype)

        dx = torch.addcmul(channels(offset), dy, channels(gain * rstd)).addcmul_(x, channels(slope))
        return (
            dx.permute(0, 3, 1, 2),
            d_weight.to(weight.dtype),
            sum_dy.sum(0).flatten().to(weight.dtype),
            None,
            None,
        )


class GroupNorm(nn.GroupNorm):
    """``nn.GroupNorm`` on (B, C, height, width), with our backward where it is faster."""

    def forward(self, input: Tensor) -> Tensor:
        """(B, C, height, width) to the same."""
        slow = (
            input.device.type == "cpu"
            and input.dtype == torch.bfloat16
            and input.ndim == 4
            and input[0, 0].numel() >= MANY_PIXELS
        )
        if slow and torch.is_grad_enabled():
            apply: Any = _GroupNorm.apply
            out: Tensor = apply(input, self.weight, self.bias, self.num_groups, self.eps)
            return out
        return super().forward(input)


class _Attention(torch.autograd.Function):
    """softmax(q k^T) v image by image, so that the (H, N, N) scores stay in the cache; all tensors
    (B, H, N, D), q scaled.

    The scores are computed again in backward: that is cheaper than writing and reading them.
    """

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        q, k, v = q.contiguous(), k.contiguous(), v.contiguous()
        out = torch.empty_like(v)
        for i, k_t in enumerate(k.transpose(-1, -2).contiguous()):
            torch.bmm(torch.bmm(q[i], k_t).softmax(-1), v[i], out=out[i])
        ctx.save_for_backward(q, k, v)
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Gradients of queries, keys and values from that of the output; the softmax is computed
        anew instead of kept.
        """
        q, k, v = ctx.saved_tensors
        k_t, v_t, d_out = (
            k.transpose(-1, -2).contiguous(),
            v.transpose(-1, -2).contiguous(),
            grads[0].contiguous(),
        )
        dq, dk, dv = torch.empty_like(q), torch.empty_like(k), torch.empty_like(v)
        for i in range(q.shape[0]):
            p = torch.bmm(q[i], k_t[i]).softmax(-1)
            torch.bmm(p.transpose(1, 2), d_out[i], out=dv[i])
            ds = torch._softmax_backward_data(torch.bmm(d_out[i], v_t[i]), p, -1, p.dtype)
            torch.bmm(ds, k[i], out=dq[i])
            torch.bmm(ds.transpose(1, 2), q[i], out=dk[i])
        return dq, dk, dv


def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Scaled dot product attention, (B, H, N, D) each; the fastest way for the device and dtype."""
    if q.device.type == "cpu" and q.dtype == torch.bfloat16:
        apply: Any = _Attention.apply
        out: Tensor = apply(q * q.shape[-1] ** -0.5, k, v)
        return out
    return F.scaled_dot_product_attention(q, k, v)


class FastAttention(nn.Module):
    """Takes over the layers of a diffusers ``FastAttention`` block: self-attention over pixels with
    a residual connection.
    """

    def __init__(self, block: Any) -> None:
        super().__init__()
        self.heads: int = block.heads
        self.rescale: float = block.rescale_output_factor
        self.group_norm, self.to_q, self.to_k, self.to_v, self.to_out = (
            block.group_norm,
            block.to_q,
            block.to_k,
            block.to_v,
            block.to_out,
        )

    def forward(self, x: Tensor, temb: Tensor | None = None) -> Tensor:
        """(B, C, height, width) to the same; ``temb`` is what the middle block hands to all its
        parts, unused here.
        """
        b, c, height, width = x.shape
        tokens = self.group_norm(x).permute(0, 2, 3, 1).reshape(b, height * width, c)
        q, k, v = (
            layer(tokens).view(b, -1, self.heads, c // self.heads).transpose(1, 2)
            for layer in (self.to_q, self.to_k, self.to_v)
        )
        out: Tensor = self.to_out[0](attend(q, k, v).transpose(1, 2).reshape(b, -1, c))
        out = out.view(b, height, width, c).permute(0, 3, 1, 2) + x
        return out if self.rescale == 1 else out / self.rescale


class FastResidual(nn.Module):
    """Takes over the layers of a diffusers ``ResnetBlock2D``, without its copies (a layout change,
    a division by 1).
    """

    def __init__(self, block: Any) -> None:
        super().__init__()
        self.rescale: float = block.output_scale_factor
        self.shift_only: bool = block.time_embedding_norm == "default"
        self.norm1, self.conv1, self.time_emb_proj, self.norm2 = (
            block.norm1,
            block.conv1,
            block.time_emb_proj,
            block.norm2,
        )
        self.dropout, self.conv2, self.conv_shortcut = (
            block.dropout,
            block.conv2,
            block.conv_shortcut,
        )

    def forward(self, x: Tensor, temb: Tensor) -> Tensor:
        """(B, C, height, width) and the time embedding (B, 4 C0) to (B, C', height, width)."""
        h = self.conv1(F.silu(self.norm1(x)))
        time = self.time_emb_proj(F.silu(temb))[:, :, None, None]
        if self.shift_only:
            h = self.norm2(h + time)
        else:
            scale, shift = time.chunk(2, dim=1)
            h = self.norm2(h) * (1 + scale) + shift
        h = self.conv2(self.dropout(F.silu(h)))
        out: Tensor = (x if self.conv_shortcut is None else self.conv_shortcut(x)) + h
        return out if self.rescale == 1 else out / self.rescale


def _swap(module: nn.Module) -> nn.Module | None:
    """Our version of a block of diffusers, on the same parameters; None where there is none."""
    kind: Any = module

    name = type(module).__name__

    # Only blocks whose options are those of UNet2DModel's default are exchanged: others compute
    # something else.
    if name == "GroupNorm":
        ours = GroupNorm(kind.num_groups, kind.num_channels, kind.eps, device="meta")
        ours.weight, ours.bias = kind.weight, kind.bias
        return ours

    if (
        name == "Attention"
        and kind.residual_connection
        and kind.group_norm is not None
        and kind.spatial_norm is None
    ):
        return FastAttention(module)

    plain = (
        name == "ResnetBlock2D"
        and kind.upsample is None
        and kind.downsample is None
        and isinstance(kind.nonlinearity, nn.SiLU)
    )

    return FastResidual(module) if plain else None


def retune(net: nn.Module) -> None:
    """Replace the blocks of a diffusers network by ours, in place and at most once; parameters and
    their names stay.
    """
    for name, child in list(net.named_children()):
        if isinstance(child, (GroupNorm, FastAttention, FastResidual)):
            continue
        retune(child)
        ours = _swap(child)
        if ours is not None:
            setattr(net, name, ours)
