"""Darknet's layers with its own formulas, in double precision over flat (C, H, W) arrays.

Each case is the text of one section and what Darknet computes there, read from the functions that
it names; nothing of the importer, the packing or the kernels is used to know it.
"""

from __future__ import annotations

import numpy as np
import pytest
from support.darknetrun import FLAGGED, HEADER, NET, C, Darknet, Floats, H, Take, W, output, results

from ftdist.errors import InputError
from ftdist.network.darknet.importer import parse_cfg
from ftdist.network.darknet.source import DarknetSource
from ftdist.network.darknet.weights import read_weights
from ftdist.network.modelfile import load, write_model
from ftdist.planning.plan import untiled
from ftdist.runtime.local import Session


def conv(text: str, name: str = "linear") -> str:
    return f"[convolutional]\nactivation={name}\n{text}\n"


def pointwise(x: Floats, take: Take, filters: int) -> Floats:
    """A 1x1 convolution without activation."""
    bias = take(filters)
    return np.tensordot(take(filters, x.shape[0]), x, 1) + bias[:, None, None]


def shortcut(first: Floats, other: Floats, alpha: float = 1, beta: float = 1) -> Floats:
    """shortcut_cpu, pjreddie's; for maps of one size AlexeyAB's shortcut_multilayer_cpu."""
    out = first.copy()
    (c1, h1, w1), (c2, h2, w2) = other.shape, first.shape
    stride, sample = max(1, w1 // w2), max(1, w2 // w1)
    for k in range(min(c1, c2)):
        for j in range(min(h1, h2)):
            for i in range(min(w1, w2)):
                place = (k, j * sample, i * sample)
                out[place] = alpha * out[place] + beta * other[k, j * stride, i * stride]
    return out


def unlike_channels(x: Floats, take: Take) -> Floats:
    a = pointwise(x, take, 5)
    return shortcut(pointwise(a, take, 3), a)


def several(x: Floats, take: Take) -> Floats:
    a = pointwise(x, take, 5)
    b = pointwise(a, take, 9)
    total = shortcut(shortcut(pointwise(b, take, 6), a), b)
    return np.where(total > 0, total, 0.1 * total)


def alpha_beta(x: Floats, take: Take) -> Floats:
    a = pointwise(x, take, 5)
    return shortcut(pointwise(a, take, 7), a, 0.5, -2)


def larger_map(x: Floats, take: Take) -> Floats:
    a = pointwise(x, take, 4)
    return shortcut(a.reshape(4, H // 2, 2, W // 2, 2).max(axis=(2, 4)), a)


def smaller_map(x: Floats, take: Take) -> Floats:
    a = x.reshape(C, H // 2, 2, W // 2, 2).max(axis=(2, 4))
    return shortcut(a.repeat(2, 1).repeat(2, 2), a, 1, 3)


def weighted(normalization: str, per_channel: bool) -> Darknet:
    """shortcut_multilayer_cpu with weights."""

    def forward(x: Floats, take: Take) -> Floats:
        a = pointwise(x, take, 5)
        maps = [pointwise(a, take, 5), a, x]
        w = take(3, 5) if per_channel else np.repeat(take(3, 1), 5, axis=1)
        if normalization == "relu":
            w = np.maximum(w, 0)
            w = w / (1e-4 + w.sum(axis=0))
        if normalization == "softmax":
            w = np.exp(w - w.max(axis=0))
            w = w / (1e-4 + w.sum(axis=0))
        return sum(w[i, :, None, None] * each[:5] for i, each in enumerate(maps))

    return forward


def squeeze(x: Floats, take: Take) -> Floats:
    """avgpool_layer, a 1x1 convolution, scale_channels_layer."""
    mean = x.mean(axis=(1, 2), keepdims=True)
    return 1 / (1 + np.exp(-pointwise(mean, take, C))) * x


def normalized(x: Floats, scaling: Floats) -> Floats:
    scale, mean, variance = (each.reshape(-1, *[1] * (x.ndim - 1)) for each in scaling)
    return (x - mean) / np.sqrt(variance + 1e-5) * scale


def connected(x: Floats, take: Take) -> Floats:
    bias, weights = take(7), take(7, x.size)
    return np.tanh(weights @ x.ravel() + bias)[:, None, None]


def connected_normalized(x: Floats, take: Take) -> Floats:
    bias, weights = take(7), take(7, x.size)
    return (normalized(weights @ x.ravel(), take(3, 7)) + bias)[:, None, None]


def batchnorm(x: Floats, take: Take) -> Floats:
    bias = take(C)
    return normalized(x, take(3, C)) + bias[:, None, None]


def local(x: Floats, take: Take) -> Floats:
    """forward_local_layer: a product of matrices at each location."""
    bias, weights = take(4, H, W), take(H * W, 4, C * 9)
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1)))
    out = bias.copy()
    for j in range(H):
        for i in range(W):
            column = padded[:, j : j + 3, i : i + 3].ravel()
            out[:, j, i] += weights[j * W + i] @ column
    return out


def deconvolution(size: int, stride: int, pad: int, *, normal: bool) -> Darknet:
    """forward_deconvolutional_layer: a product of matrices, then col2im_cpu, which adds up."""

    def forward(x: Floats, take: Take) -> Floats:
        bias, scaling = take(5), take(3, 5) if normal else None
        weights = take(C, 5 * size * size)
        columns = (weights.T @ x.reshape(C, -1)).reshape(5, size, size, H, W)
        out = np.zeros((5, (H - 1) * stride + size - 2 * pad, (W - 1) * stride + size - 2 * pad))
        for c, ky, kx, j, i in np.ndindex(*columns.shape):
            row, column = ky + j * stride - pad, kx + i * stride - pad
            if 0 <= row < out.shape[1] and 0 <= column < out.shape[2]:
                out[c, row, column] += columns[c, ky, kx, j, i]
        out = out if scaling is None else normalized(out, scaling)
        out += bias[:, None, None]
        return np.where(out > 0, out, 0.1 * out)

    return forward


def normalization(x: Floats, take: Take) -> Floats:
    """forward_normalization_layer, size 5, alpha 0.01, with its running sum."""
    norms = [1 + 0.01 * sum(x[k] ** 2 for k in range(2))]
    for k in range(1, C):
        before, after = k - 3, k + 2
        norm = norms[-1].copy()
        norm -= 0.01 * x[before] ** 2 if before >= 0 else 0
        norm += 0.01 * x[after] ** 2 if after < C else 0
        norms.append(norm)
    return np.stack(norms) ** -0.75 * x


def softmax(groups: int, temperature: float) -> Darknet:
    """softmax_cpu over the flat array, group after group."""

    def forward(x: Floats, take: Take) -> Floats:
        parts = x.reshape(groups, -1) / temperature
        terms = np.exp(parts - parts.max(axis=1, keepdims=True))
        return (terms / terms.sum(axis=1, keepdims=True)).reshape(x.shape)

    return forward


def spatial_softmax(x: Floats, take: Take) -> Floats:
    terms = np.exp(x)
    return terms / terms.sum(axis=0)


def shared(x: Floats, take: Take) -> Floats:
    bias, weights = take(C), take(C, C)
    once = np.tensordot(weights, x, 1) + bias[:, None, None]
    return np.tensordot(weights, once, 1) + bias[:, None, None]


def depth(x: Floats, take: Take) -> Floats:
    """forward_maxpool_layer with maxpool_depth."""
    return np.stack([x[g::3].max(axis=0) for g in range(3)])


def reversed_reorg(x: Floats, take: Take) -> Floats:
    """reorg_cpu with forward=1, which scatters."""
    out = np.empty((C // 4, 2 * H, 2 * W))
    for k in range(C):
        offset, c2 = k // (C // 4), k % (C // 4)
        for j in range(H):
            for i in range(W):
                out[c2, j * 2 + offset // 2, i * 2 + offset % 2] = x[k, j, i]
    return out


def listed(x: Floats, take: Take) -> Floats:
    """forward_reorg_layer with extra: the flat array, then zeros."""
    return np.concatenate([x.ravel(), np.zeros(2)])[:, None, None]


def go(x: Floats, take: Take) -> Floats:
    """All moves on a board and the one to pass, whose score is 0: cfg of a player of Go."""
    return softmax(1, 1)(listed(pointwise(x, take, 1), take), take)


def l2norm(x: Floats, take: Take) -> Floats:
    """l2normalize_cpu."""
    return x / np.sqrt((x**2).sum(axis=0))


def iseg(x: Floats, take: Take) -> Floats:
    """forward_iseg_layer: activate_array over the first `classes` maps."""
    return np.concatenate([1 / (1 + np.exp(-x[:3])), x[3:]])


def norm_channels(kind: str, factor: float = 1) -> Darknet:
    """activate_array_normalize_channels and ..._softmax, with and without use_max_val."""

    def forward(x: Floats, take: Take) -> Floats:
        bias = take(5)
        y = np.tensordot(take(5, C), x, 1) + bias[:, None, None]
        if kind == "normalize_channels":
            terms = np.maximum(y, 0)
        else:
            terms = np.exp(y - (y.max(axis=0) if kind.endswith("_maxval") else 0))
        return terms / (1e-4 + terms.sum(axis=0))

    return forward


def implicit_factors(x: Floats, take: Take) -> Floats:
    """forward_implicit_layer: the learned values, whatever the input; then scale_channels."""
    return take(C)[:, None, None] * x


def implicit_atoms(x: Floats, take: Take) -> Floats:
    """A map of `filters` channels and `atoms` rows, then a convolution over it."""
    return pointwise(take(6, 3, 1), take, 2)


THREE = conv("filters=5") + conv("filters=5")
CASES: dict[str, tuple[str, Darknet]] = {
    "unlike channels": (
        conv("filters=5") + conv("filters=3") + "[shortcut]\nfrom=-2\n",
        unlike_channels,
    ),
    "several": (
        "".join(conv(f"filters={n}") for n in (5, 9, 6))
        + "[shortcut]\nfrom=-3,-2\nactivation=leaky\n",
        several,
    ),
    "alpha and beta": (
        conv("filters=5") + conv("filters=7") + "[shortcut]\nfrom=0\nalpha=.5\nbeta=-2\n",
        alpha_beta,
    ),
    "larger map": (
        conv("filters=4") + "[maxpool]\nsize=2\nstride=2\n[shortcut]\nfrom=0\n",
        larger_map,
    ),
    "smaller map": (
        "[maxpool]\nsize=2\nstride=2\n[upsample]\nstride=2\n[shortcut]\nfrom=0\nbeta=3\n",
        smaller_map,
    ),
    "scale_channels": (
        "[activation]\nactivation=linear\n[avgpool]\n"
        + conv(f"filters={C}", "logistic")
        + "[scale_channels]\nfrom=0\n",
        squeeze,
    ),
    "scale_channels by positions": (
        "[activation]\nactivation=linear\n" + conv("") + "[scale_channels]\nfrom=0\nscale_wh=1\n",
        lambda x, take: x * pointwise(x, take, 1),
    ),
    "sam": (
        "[activation]\nactivation=linear\n" + conv(f"filters={C}") + "[sam]\nfrom=0\n",
        lambda x, take: x * pointwise(x, take, C),
    ),
    "connected": ("[connected]\noutput=7\nactivation=tanh\n", connected),
    "connected, normalized": (
        "[connected]\noutput=7\nbatch_normalize=1\nactivation=linear\n",
        connected_normalized,
    ),
    "batchnorm": ("[batchnorm]\n", batchnorm),
    "local": ("[local]\nfilters=4\nsize=3\npad=1\nactivation=linear\n", local),
    "deconvolutional": (
        "[deconvolutional]\nfilters=5\nsize=4\nstride=2\npadding=1\nactivation=leaky\n",
        deconvolution(4, 2, 1, normal=False),
    ),
    "deconvolutional, normalized": (
        "[deconv]\nfilters=5\nsize=3\nstride=3\npad=1\nbatch_normalize=1\nactivation=leaky\n",
        deconvolution(3, 3, 1, normal=True),
    ),
    "deconvolutional with gaps": (
        "[deconvolutional]\nfilters=5\nsize=2\nstride=3\nactivation=leaky\n",
        deconvolution(2, 3, 0, normal=False),
    ),
    "normalization": ("[lrn]\nalpha=0.01\n", normalization),
    "crop": ("[crop]\ncrop_height=3\ncrop_width=4\n", lambda x, _: 2 * x[:, 1:4, 3:7] - 1),
    "crop as it is": (
        "[crop]\ncrop_height=3\ncrop_width=4\nnoadjust=1\n",
        lambda x, _: x[:, 1:4, 3:7],
    ),
    "softmax": ("[softmax]\n", softmax(1, 1)),
    "softmax in groups": ("[softmax]\ngroups=2\ntemperature=2.5\n", softmax(2, 2.5)),
    "softmax at each position": ("[softmax]\nspatial=1\n", spatial_softmax),
    "reorg with extra": ("[reorg]\nstride=2\nextra=2\n", listed),
    "a list of moves": (conv("filters=1") + "[reorg]\nextra=2\nstride=1\n[softmax]\n", go),
    "upsample": (
        "[upsample]\nstride=2\nscale=.25\n",
        lambda x, _: 0.25 * x.repeat(2, 1).repeat(2, 2),
    ),
    "maxpool_depth": ("[maxpool]\nmaxpool_depth=1\nout_channels=3\n", depth),
    "share_index": (conv(f"filters={C}") + conv(f"filters={C}\nshare_index=-1"), shared),
    "reorg, reversed": ("[reorg]\nstride=2\nreverse=1\n", reversed_reorg),
    "l2norm": ("[l2norm]\n", l2norm),
    "iseg": (f"[iseg]\nclasses=3\nids={C - 3}\n", iseg),
    "iseg without ids": (f"[iseg]\nclasses={C}\nids=0\n", lambda x, _: 1 / (1 + np.exp(-x))),
    "implicit": (
        "[activation]\nactivation=linear\n"
        + f"[implicit]\nfilters={C}\nmean=1\nstd=.02\n[scale_channels]\nfrom=0\n",
        implicit_factors,
    ),
    "implicit with atoms": (
        "[implicit]\nfilters=6\natoms=3\n" + conv("filters=2"),
        implicit_atoms,
    ),
    "logistic": ("[logistic]\n", lambda x, _: 1 / (1 + np.exp(-x))),
}
for kind in (
    "normalize_channels",
    "normalize_channels_softmax",
    "normalize_channels_softmax_maxval",
):
    CASES[kind] = (conv("filters=5", kind), norm_channels(kind))
for kind in ("per_feature", "per_channel"):
    for name in ("none", "relu", "softmax"):
        text = "[activation]\nactivation=linear\n" + THREE + "[shortcut]\nfrom=1,0\n"
        text += f"weights_type={kind}\nweights_normalization={name}\n"
        CASES[f"weights {kind} {name}"] = (text, weighted(name, kind == "per_channel"))


@pytest.mark.parametrize("name", CASES)
def test_a_section_computes_what_darknet_does(tmp_path, name) -> None:
    model, image, expected = results(tmp_path, *CASES[name], HEADER)
    found = output(model, image)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())
    grids = ("1x1s1", "2x2s1", "3x3") if found.shape[1] > 2 else ("1x1s1",)
    for notation in grids:
        np.testing.assert_array_equal(output(model, image, notation), found)


@pytest.mark.parametrize("stored", [(0.25, -0.5), (-3.0, 0.0)])
def test_no_map_of_a_weighted_sum_counts_for_nothing(tmp_path, stored) -> None:
    """fuse_conv_batchnorm: AlexeyAB's lrelu is never below 0.001."""
    text = "[activation]\n[activation]\nactivation=logistic\n[shortcut]\nfrom=0\n"
    text += "weights_type=per_feature\nweights_normalization=relu\n"
    (tmp_path / "net.weights").write_bytes(HEADER + np.array(stored, "<f4").tobytes())
    parsed = parse_cfg(NET + text, "net")
    write_model(
        tmp_path / "net.ftd", parsed.network, read_weights(parsed, tmp_path / "net.weights")
    )
    image = np.random.default_rng(3).uniform(-1, 1, (C, H, W)).astype(np.float32)
    own, other = (max(each, 0.001) for each in stored)
    total = 0.0001 + own + other
    x = image.astype(np.float64)
    expected = own / total / (1 + np.exp(-x)) + other / total * x
    found = output(load(tmp_path / "net.ftd"), image)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


def test_the_oldest_files_have_the_matrices_of_connected_layers_transposed(tmp_path) -> None:
    def turned(x: Floats, take: Take) -> Floats:
        bias = take(7)
        return np.tanh(take(x.size, 7).T @ x.ravel() + bias)[:, None, None]

    text = "[connected]\noutput=7\nactivation=tanh\n"
    model, image, expected = results(tmp_path, text, turned, FLAGGED)
    np.testing.assert_allclose(output(model, image), expected, rtol=0, atol=1e-5)


def test_batchnorm_without_biases_is_pjreddies(tmp_path) -> None:
    floats = np.random.default_rng(1).uniform(0.1, 1.0, (3, C)).astype("<f4")
    path = tmp_path / "net.weights"
    path.write_bytes(HEADER + floats.tobytes())
    (read,) = read_weights(parse_cfg(NET + "[batchnorm]\n", "net"), path)
    scale, mean, variance = floats.astype(np.float64)
    factor = scale / np.sqrt(variance + 1e-5)
    np.testing.assert_allclose(read.weights.ravel(), factor, rtol=1e-6)
    np.testing.assert_allclose(read.bias, -mean * factor, rtol=1e-6)


def test_weights_of_a_shortcut_that_are_no_numbers_are_refused(tmp_path) -> None:
    path = tmp_path / "net.weights"
    path.write_bytes(HEADER + np.full(2, np.nan, "<f4").tobytes())
    text = "[activation]\n[activation]\n[shortcut]\nfrom=0\nweights_type=per_feature\n"
    with pytest.raises(InputError, match=r"shortcut2. has weights that are not fin"):
        list(read_weights(parse_cfg(NET + text, "net"), path))


def test_a_norm_over_channels_goes_before_the_blur(tmp_path) -> None:
    def forward(x: Floats, take: Take) -> Floats:
        bias = take(5)
        y = np.tensordot(take(5, C), x, 1) + bias[:, None, None]
        y = norm_of(y)
        padded = np.pad(y, ((0, 0), (1, 1), (1, 1)))
        rows = padded[:, :-2] / 4 + padded[:, 1:-1] / 2 + padded[:, 2:] / 4
        both = rows[:, :, :-2] / 4 + rows[:, :, 1:-1] / 2 + rows[:, :, 2:] / 4
        return both[:, ::2, ::2]

    def norm_of(y: Floats) -> Floats:
        return np.maximum(y, 0) / (1e-4 + np.maximum(y, 0).sum(axis=0))

    text = conv("filters=5\nstride=2\nantialiasing=1", "normalize_channels")
    model, image, expected = results(tmp_path, text, forward, HEADER)
    assert [each.name for each in model.network.layers] == [
        "plain0",
        "sum0",
        "sharp0",
        "convolutional0",
    ]
    np.testing.assert_allclose(output(model, image), expected, rtol=0, atol=1e-5)


def test_constants_are_not_random(tmp_path) -> None:
    """With random weights too, a norm over channels is one, and a learned map sees no input."""
    text = "[conv]\nfilters=5\nactivation=normalize_channels_softmax\n"
    text += "[implicit]\nfilters=5\n[route]\nlayers=0\n"
    parsed = parse_cfg(NET + text, "net")
    source = DarknetSource(parsed, None, 3)
    write_model(tmp_path / "net.ftd", parsed.network, source.parameters())
    model = load(tmp_path / "net.ftd")
    seen = []
    for seed in (1, 2):
        image = np.random.default_rng(seed).normal(0, 1, (C, H, W)).astype(np.float32)
        with Session(model, untiled(model.network)) as session:
            seen.append(session.run(image))
    assert np.abs(seen[0]["implicit1"]).max() > 0
    np.testing.assert_array_equal(seen[0]["implicit1"], seen[1]["implicit1"])
    for each in seen:
        (shares,) = (array for name, array in each.items() if name != "implicit1")
        np.testing.assert_allclose(shares.sum(axis=0), 1, atol=1e-3)
