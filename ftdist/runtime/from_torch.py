"""From a PyTorch module to a model, through an ONNX file that is gone afterwards.

PyTorch's own exporter writes the file. There are two of them: the newer one is asked first, where
the package that it needs is there, and the older one where that fails.
"""

from __future__ import annotations

import importlib.util
import os
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ftdist.errors import InputError
from ftdist.extras import needing
from ftdist.network.modelfile import Model
from ftdist.network.task import Kind
from ftdist.runtime.model_import import import_model
from ftdist.runtime.overriding import Wishes

_Path = str | os.PathLike[str]


def from_torch(
    module: Any,
    example: Any,
    output: _Path | None = None,
    *,
    names: _Path | None = None,
    task: Kind | None = None,
    wishes: Wishes | None = None,
    remark: Callable[[str], None] | None = None,
) -> Model:
    """The model of a torch.nn.Module as it is at inference, for inputs of the example's shape.

    `example` is a tensor, or a tuple of the tensors that the module is called with. The model file
    is `output`; without it the file is a temporary one, which lasts as long as the model is open in
    this process. The rest is as in `import_model`. The module itself stays as it was. InputError
    when torch is missing, when it cannot export the module, or when something in it is not
    supported.
    """
    with needing("importing a PyTorch module", "torch", "torch"):
        import torch
    if not isinstance(module, torch.nn.Module):
        raise InputError(f"{type(module).__name__} is not a torch.nn.Module")
    inputs = tuple(example) if isinstance(example, tuple | list) else (example,)
    with tempfile.TemporaryDirectory(prefix="ftdist-") as folder:
        file = Path(folder) / f"{type(module).__name__}.onnx"
        with _at_inference(module), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the exporter's, of its own parts
            _export(torch, module, inputs, file)
        target = file.with_suffix(".ftd") if output is None else output
        how: dict[str, Any] = {"names": names, "task": task, "wishes": wishes, "remark": remark}
        return import_model(file, target, **how)


@contextmanager
def _at_inference(module: Any) -> Iterator[None]:
    """The module in evaluation mode, and each part of it in its own mode again afterwards."""
    modes = [(each, each.training) for each in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for each, mode in modes:
            each.training = mode


def _export(torch: Any, module: Any, inputs: tuple[Any, ...], file: Path) -> None:
    """Writes the ONNX file; InputError with what the exporters say when all of them fail."""
    told: list[str] = []
    for how in _exporters():
        try:
            with torch.no_grad():
                torch.onnx.export(module, inputs, str(file), **how)
        except Exception as error:  # of many kinds, some of them the exporters' own
            told.append((str(error).strip() or type(error).__name__).splitlines()[0][:200])
        else:
            return
    raise InputError(f"{type(module).__name__}: PyTorch cannot export it: {'; '.join(told)}")


def _exporters() -> list[dict[str, Any]]:
    """The options of each exporter, in the order in which they are tried."""
    newer = {"dynamo": True, "external_data": False, "verbose": False}
    older = {"dynamo": False}
    return [newer, older] if importlib.util.find_spec("onnxscript") is not None else [older]
