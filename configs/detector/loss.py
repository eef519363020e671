"""The training loss of the region head: what each anchor of each cell should have said.

An object is the duty of the cell its centre falls into, there of the anchor most like it in
shape, and of every other anchor overlapping it (both centred) by more than half. Three parts are
summed and divided by the number of duties:

- box: 1 - IoU plus the squared distance of the centres over the squared diagonal of the box
  around both (Distance-IoU, Zheng et al. 2020);
- objectness: binary cross entropy towards the IoU reached (Darknet's rescore=1), and towards 0
  for anchors without a duty, except those that overlap some object by more than IGNORED_IOU;
- class: cross entropy over the softmax.
"""

from typing import TypeAlias

import torch
from network import Region, decode
from torch.nn import functional

IGNORED_IOU = 0.55
SHARED_DUTY_IOU = 0.5
BOX_WEIGHT = 2.5
EMPTY_WEIGHT = 0.6

Truth: TypeAlias = torch.Tensor  # (objects, 5): class, centre x, centre y, width, height in cells


def pair_iou(ours: torch.Tensor, theirs: torch.Tensor) -> torch.Tensor:
    """IoU of boxes given as centre and size, (..., 4) each, broadcast against each other."""
    start = torch.maximum(ours[..., :2] - ours[..., 2:] / 2, theirs[..., :2] - theirs[..., 2:] / 2)
    end = torch.minimum(ours[..., :2] + ours[..., 2:] / 2, theirs[..., :2] + theirs[..., 2:] / 2)
    common = (end - start).clamp(min=0).prod(dim=-1)
    both = ours[..., 2:].prod(dim=-1) + theirs[..., 2:].prod(dim=-1)
    return common / (both - common)


def centre_penalty(ours: torch.Tensor, theirs: torch.Tensor) -> torch.Tensor:
    """Squared distance of the centres over the squared diagonal of the box around both."""
    start = torch.minimum(ours[..., :2] - ours[..., 2:] / 2, theirs[..., :2] - theirs[..., 2:] / 2)
    end = torch.maximum(ours[..., :2] + ours[..., 2:] / 2, theirs[..., :2] + theirs[..., 2:] / 2)
    apart = (ours[..., :2] - theirs[..., :2]).square().sum(dim=-1)
    return apart / (end - start).square().sum(dim=-1)


def assign_duties(
    truths: list[Truth], region: Region
) -> tuple[tuple[torch.Tensor, ...], torch.Tensor]:
    """Indices (picture, anchor, row, column) of the anchors on duty, and their truth (n, 5)."""
    parts, wanted = [], []
    shapes = torch.cat([torch.zeros_like(region.anchors), region.anchors], dim=1)
    for picture, truth in enumerate(truths):
        centred = torch.cat([torch.zeros(len(truth), 2), truth[:, 3:]], dim=1)
        likeness = pair_iou(centred[:, None], shapes[None])
        best = likeness.argmax(dim=1, keepdim=True)
        on_duty = (likeness > SHARED_DUTY_IOU).scatter(1, best, value=True)
        objects, anchors = on_duty.nonzero(as_tuple=True)
        columns, rows = truth[objects, 1].long(), truth[objects, 2].long()
        parts.append(torch.stack([torch.full_like(rows, picture), anchors, rows, columns]))
        wanted.append(truth[objects])
    return tuple(torch.cat(parts, dim=1)), torch.cat(wanted)


@torch.no_grad()
def near_objects(boxes: torch.Tensor, truths: list[Truth]) -> torch.Tensor:
    """Which anchors overlap some object well enough to be left in peace: (n, a, rows, columns)."""
    near = torch.zeros(boxes.shape[:-1], dtype=torch.bool)
    for picture, truth in enumerate(truths):
        if len(truth):
            shared = pair_iou(boxes[picture][..., None, :], truth[:, 1:])
            near[picture] = shared.amax(dim=-1) > IGNORED_IOU
    return near


def detection_loss(raw: torch.Tensor, truths: list[Truth], region: Region) -> torch.Tensor:
    """The loss of a batch, one number."""
    boxes = decode(raw, region.anchors)
    duties, wanted = assign_duties(truths, region)
    ours, theirs = boxes[duties], wanted[:, 1:]
    iou = pair_iou(ours, theirs)
    box = (1 - iou + centre_penalty(ours, theirs)).sum()
    target = torch.zeros(raw.shape[:-1])
    weight = EMPTY_WEIGHT * (~near_objects(boxes, truths)).float()
    target[duties] = iou.detach()
    weight[duties] = 1.0
    objectness = functional.binary_cross_entropy_with_logits(
        raw[..., 4], target, weight, reduction="sum"
    )
    label = functional.cross_entropy(raw[duties][:, 5:], wanted[:, 0].long(), reduction="sum")
    return (BOX_WEIGHT * box + objectness + label) / max(1, len(wanted))
