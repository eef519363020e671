"""A job as its client sees it: messages in, messages out."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from support.smallmodels import CHAIN, TWO_OUTPUTS, random_image, write_small_model

from ftdist.cluster.client.frames import Dishonest, Outputs, output_maps
from ftdist.cluster.client.submission import Submission, Work
from ftdist.cluster.server.model_reader import ModelReader, header_bytes
from ftdist.errors import FtdistError, InputError
from ftdist.geometry import Region
from ftdist.network.modelfile import Model, load
from ftdist.network.modelheader import Header
from ftdist.planning.bands.numbering import NumberedBands
from ftdist.protocol.client_messages import (
    Accepted,
    FrameInput,
    JobFailed,
    JobProgress,
    JobResult,
    Received,
    Submit,
    WantFrame,
)
from ftdist.protocol.limits import PROTOCOL
from ftdist.protocol.messages import Message
from ftdist.protocol.records import Piece
from ftdist.protocol.shared_messages import ModelRequest


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return load(write_small_model(tmp_path_factory.mktemp("model") / "two.ftd", TWO_OUTPUTS))


class Talk:
    """A submission, the frames it loaded and delivered, and a coordinator's answers to it."""

    def __init__(self, model: Model, frames: int = 3, done: tuple[int, ...] = ()) -> None:
        self.model = model
        self.loaded: list[int] = []
        self.delivered: dict[int, Outputs] = {}
        self.progress: list[JobProgress] = []
        work = Work("job", frames, False, self.load, self.deliver, self.progress.append)
        self.submission = Submission(work, done)
        self.submission.begin()

    def load(self, header: Header, frame: int) -> NDArray[Any]:
        assert header.network == self.model.network
        self.loaded.append(frame)
        return random_image(64, frame)

    def deliver(self, frame: int, outputs: Outputs, seconds: float) -> None:
        assert frame not in self.delivered and seconds == 0.5
        self.delivered[frame] = outputs

    def sent(self) -> list[Message]:
        """All that it wants to say now."""
        found = []
        while (message := self.submission.next_message()) is not None:
            found.append(message)
        return found

    def accepted(self, **changes: Any) -> Accepted:
        network = self.model.network
        fields = {
            "job": "job",
            "model": self.model.digest,
            "model_header_bytes": header_bytes(self.model),
            "input": tuple(network.input),
            "outputs": output_maps(network),
            **changes,
        }
        return Accepted(**fields)

    def accept(self) -> None:
        """The coordinator accepts, and sends its model's header."""
        self.submission.take(self.accepted())
        while (message := self.submission.next_message()) is not None:
            assert isinstance(message, ModelRequest)
            self.submission.take(ModelReader(self.model).chunk(message))

    def pieces(self, frame: int) -> list[Piece]:
        """A frame's results: each output in two halves, the lower one first."""
        found = []
        for each in output_maps(self.model.network):
            shape = (each.height, each.width, each.channels)
            values = np.arange(np.prod(shape), dtype=np.float32).reshape(shape) + frame
            for top, bottom in ((each.height // 2, each.height), (0, each.height // 2)):
                region = Region(top, bottom, 0, each.width)
                found.append(Piece(each.source, region, values[top:bottom]))
        return found

    def result(self, frame: int, pieces: list[Piece], *, more: bool = False) -> JobResult:
        return JobResult("job", frame, more, tuple(pieces), 0.5)


def test_a_job_from_submit_to_the_last_result(model: Model) -> None:
    talk = Talk(model)
    assert talk.sent() == [Submit(PROTOCOL, "job", 3, False, ())]
    talk.accept()
    talk.submission.take(WantFrame("job", (2, 0)))
    sent = talk.sent()
    assert [(each.frame, each.more) for each in sent if isinstance(each, FrameInput)] == [
        (2, False),
        (0, False),
    ]
    (piece,) = sent[0].pieces  # type: ignore[union-attr]
    assert piece.region == Region(0, 64, 0, 64) and piece.data.flags.c_contiguous
    assert np.array_equal(piece.data.transpose(2, 0, 1), random_image(64, 2))
    for frame in (2, 0):
        halves = talk.pieces(frame)
        talk.submission.take(talk.result(frame, halves[:1], more=True))
        talk.submission.take(talk.result(frame, halves[1:]))
        assert talk.sent() == [Received("job", frame)]
    assert not talk.submission.finished
    talk.submission.take(WantFrame("job", (1,)))
    assert len(talk.sent()) == 1
    talk.submission.take(talk.result(1, talk.pieces(1)))
    assert talk.submission.complete and not talk.submission.finished
    assert talk.sent() == [Received("job", 1)] and talk.submission.finished
    assert sorted(talk.loaded) == sorted(talk.delivered) == [0, 1, 2]
    for frame, outputs in talk.delivered.items():
        for each in output_maps(model.network):
            array = outputs[each.name]
            assert array.shape == (each.channels, each.height, each.width)
            assert array[0, 0, 0] == frame and array.flags.c_contiguous
            assert np.array_equal(np.sort(array.ravel()), np.arange(array.size) + frame)


def test_no_frame_is_loaded_before_it_can_be_sent(model: Model) -> None:
    talk = Talk(model, frames=2)
    talk.sent()
    talk.submission.take(WantFrame("job", (0, 1)))
    assert talk.sent() == [] and talk.loaded == []
    talk.submission.take(talk.accepted())
    (request,) = talk.sent()
    assert isinstance(request, ModelRequest) and talk.loaded == []
    talk.submission.take(ModelReader(model).chunk(request))
    assert talk.submission.next_message() is not None
    assert talk.loaded == [0]


def test_large_frames_travel_in_bands_of_rows(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ftdist.cluster.client.submission._PARCEL_BYTES", 5000)
    talk = Talk(model, frames=1)
    talk.sent()
    talk.accept()
    talk.submission.take(WantFrame("job", (0,)))
    sent = talk.sent()
    assert [each.more for each in sent] == [True] * (len(sent) - 1) + [False]  # type: ignore
    pieces = [piece for each in sent for piece in each.pieces]  # type: ignore[union-attr]
    assert len(pieces) > 5 and all(piece.data.nbytes <= 5000 for piece in pieces)
    rows = [row for piece in pieces for row in range(*piece.region.rows)]
    assert rows == list(range(64))
    whole = np.concatenate([piece.data for piece in pieces])
    assert np.array_equal(whole.transpose(2, 0, 1), random_image(64, 0))


def test_a_new_connection_says_what_is_done_and_forgets_the_rest(model: Model) -> None:
    talk = Talk(model, frames=7, done=(6, 0, 1))
    assert talk.sent() == [Submit(PROTOCOL, "job", 7, False, ((0, 2), (6, 7)))]
    talk.accept()
    talk.submission.take(WantFrame("job", (3, 4)))
    talk.submission.next_message()
    talk.submission.take(talk.result(3, talk.pieces(3)[:1], more=True))
    talk.submission.take(talk.result(5, talk.pieces(5)))
    talk.submission.begin()
    assert talk.sent() == [Submit(PROTOCOL, "job", 7, False, ((0, 2), (5, 7)))]
    talk.submission.take(talk.accepted())  # the model is known: nothing to ask for
    assert talk.sent() == []
    talk.submission.take(WantFrame("job", (3,)))
    talk.submission.take(talk.result(3, talk.pieces(3)))
    assert sorted(talk.delivered) == [3, 5]


def test_a_result_that_comes_twice_is_delivered_once_and_acknowledged_twice(model: Model) -> None:
    talk = Talk(model)
    talk.sent()
    talk.accept()
    for _ in range(2):
        talk.submission.take(talk.result(0, talk.pieces(0)))
        assert talk.sent() == [Received("job", 0)]
    assert list(talk.delivered) == [0]


def test_results_before_the_model_is_known_are_asked_for_again(model: Model) -> None:
    """The coordinator may have results for a client that was here before."""
    talk = Talk(model)
    talk.sent()
    talk.submission.take(talk.accepted())
    request = talk.submission.next_message()
    assert isinstance(request, ModelRequest)
    talk.submission.take(talk.result(0, talk.pieces(0)))
    talk.submission.take(ModelReader(model).chunk(request))
    assert talk.sent() == [Submit(PROTOCOL, "job", 3, False, ())] and talk.delivered == {}
    talk.submission.take(talk.accepted())
    talk.submission.take(talk.result(0, talk.pieces(0)))
    assert list(talk.delivered) == [0]


def test_what_is_about_other_jobs_is_nobodys_affair(model: Model) -> None:
    talk = Talk(model)
    talk.sent()
    talk.accept()
    talk.submission.take(WantFrame("other", (99,)))
    talk.submission.take(JobFailed("other", ("x",)))
    talk.submission.take(JobProgress("other", 0, 1, 0, 0, 0, ""))
    assert talk.sent() == [] and talk.progress == []


def test_a_failed_job_says_why(model: Model) -> None:
    talk = Talk(model)
    with pytest.raises(FtdistError, match="job job failed: out of memory on pi; pi2 went away"):
        talk.submission.take(JobFailed("job", ("out of memory on pi", "pi2 went away")))


def test_another_model_in_the_middle_of_a_job_is_refused(model: Model) -> None:
    talk = Talk(model)
    talk.sent()
    talk.accept()
    talk.submission.begin()
    with pytest.raises(InputError, match="began with another model"):
        talk.submission.take(talk.accepted(model="0" * 32))


Lie = Callable[[Talk], Message]


def _piece(source: int, region: Region, shape: tuple[int, ...], dtype: Any = np.float32) -> Piece:
    return Piece(source, region, np.zeros(shape, dtype))


LIES: dict[str, Lie] = {
    "no such frame wanted": lambda talk: WantFrame("job", (3,)),
    "no such frame": lambda talk: talk.result(3, talk.pieces(0)),
    "no such output": lambda talk: talk.result(
        0, [_piece(0, Region(0, 1, 0, 32), (1, 32, 8))], more=True
    ),
    "beyond the map": lambda talk: talk.result(
        0, [_piece(3, Region(31, 33, 0, 32), (2, 32, 5))], more=True
    ),
    "other channels": lambda talk: talk.result(
        0, [_piece(3, Region(0, 2, 0, 32), (2, 32, 6))], more=True
    ),
    "other size": lambda talk: talk.result(
        0, [_piece(3, Region(0, 2, 0, 32), (1, 32, 5))], more=True
    ),
    "other type": lambda talk: talk.result(
        0, [_piece(3, Region(0, 2, 0, 32), (2, 32, 5), np.uint8)], more=True
    ),
    "twice": lambda talk: talk.result(0, talk.pieces(0) + talk.pieces(0)[:1]),
    "not whole": lambda talk: talk.result(0, talk.pieces(0)[:-1]),
    "other outputs": lambda talk: talk.accepted(outputs=output_maps(talk.model.network)[:1]),
    "other input": lambda talk: talk.accepted(input=(64, 64, 4)),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_coordinator_that_lies_is_not_believed(model: Model, lie: str) -> None:
    talk = Talk(model)
    talk.sent()
    talk.accept()
    with pytest.raises(Dishonest):
        talk.submission.take(LIES[lie](talk))
    assert talk.delivered == {}


def test_results_of_any_size_are_not_allocated(model: Model) -> None:
    talk = Talk(model)
    talk.sent()
    one = output_maps(model.network)[0]
    from dataclasses import replace

    huge = replace(one, height=65536, width=65536, channels=65536)
    with pytest.raises(Dishonest, match="bytes a frame"):
        talk.submission.take(talk.accepted(outputs=(huge,)))


@pytest.mark.parametrize("damage", ["cut", "long", "other digest", "flipped"])
def test_a_header_is_checked(model: Model, damage: str) -> None:
    talk = Talk(model)
    talk.sent()
    digest = "0" * 32 if damage == "other digest" else model.digest
    size = header_bytes(model)
    talk.submission.take(talk.accepted(model=digest, model_header_bytes=size))
    request = talk.submission.next_message()
    assert isinstance(request, ModelRequest) and request.size == size
    from dataclasses import replace

    chunk = ModelReader(model).chunk(replace(request, digest=model.digest))
    data = chunk.data
    if damage == "flipped":
        data = data.copy()
        data[200] ^= 1
    elif damage != "other digest":
        data = data[:0] if damage == "cut" else np.append(data, np.uint8(0))
    with pytest.raises((Dishonest, InputError)):
        talk.submission.take(replace(chunk, digest=digest, data=data))
    assert talk.submission.header is None


def test_a_failing_load_ends_the_job(model: Model, tmp_path: Path) -> None:
    def load_nothing(header: Header, frame: int) -> NDArray[Any]:
        raise InputError("x.png: not a picture")

    talk = Talk(model)
    work = Work("job", 1, False, load_nothing, talk.deliver)
    talk.submission = Submission(work)
    talk.submission.begin()
    talk.sent()
    talk.accept()
    talk.submission.take(WantFrame("job", (0,)))
    with pytest.raises(InputError, match="not a picture"):
        talk.submission.next_message()


# ---- pictures in bands


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """A network of one output, 7x32x32."""
    return load(write_small_model(tmp_path_factory.mktemp("model") / "chain.ftd", CHAIN))


class BandTalk(Talk):
    """Two pictures of a coordinator that computes them in bands of 12 rows, 3 of each."""

    def __init__(self, model: Model, done: tuple[int, ...] = (), band_rows: int = 0) -> None:
        super().__init__(model)
        self.bands = NumberedBands(model.network, 12)
        work = Work("job", 2, False, self.load, self.deliver, load_rows=self.load_rows)
        self.submission = Submission(work, done, band_rows)
        self.submission.begin()

    def accepted(self, **changes: Any) -> Accepted:
        return super().accepted(**({"band_rows": 12} | changes))

    def load_rows(self, header: Header, bands: NumberedBands, frame: int) -> NDArray[Any]:
        assert bands == self.bands
        top, bottom, left, right = bands.input(frame)
        self.loaded.append(frame)
        return random_image(64, bands.picture(frame)).transpose(1, 2, 0)[top:bottom, left:right]

    def pieces(self, frame: int) -> list[Piece]:
        """A band's result, the lower rows first."""
        ((source, region),) = self.bands.outputs(frame).items()
        channels = self.model.network.shape(source).channels
        values = np.full((region.rows.size, region.columns.size, channels), frame, np.float32)
        lower = region._replace(top=region.top + 2)
        upper = region._replace(bottom=region.top + 2)
        return [Piece(source, lower, values[2:]), Piece(source, upper, values[:2])]


def test_bands_of_pictures_are_sent_and_received_like_frames(large: Model) -> None:
    talk = BandTalk(large)
    assert talk.sent() == [Submit(PROTOCOL, "job", 2, False, (), 0)]
    talk.accept()
    assert not talk.submission.complete
    talk.submission.take(WantFrame("job", (1, 5)))
    sent = [each for each in talk.sent() if isinstance(each, FrameInput)]
    assert talk.loaded == [1, 5] and [each.frame for each in sent] == [1, 5]
    for each in sent:
        assert each.pieces[0].region == talk.bands.input(each.frame)
    for frame in range(6):
        talk.submission.take(talk.result(frame, talk.pieces(frame)))
    assert talk.submission.complete
    (name,) = talk.delivered[5]
    assert talk.delivered[5][name].shape == (7, 8, 32) and (talk.delivered[5][name] == 5).all()


def test_bands_that_are_done_are_counted_with_their_rows(large: Model) -> None:
    talk = BandTalk(large, (0, 1, 3), band_rows=12)
    assert talk.sent() == [Submit(PROTOCOL, "job", 2, False, ((0, 2), (3, 4)), 12)]
    talk.accept()
    with pytest.raises(InputError, match="began with other bands"):
        talk.submission.take(talk.accepted(band_rows=16))


def test_a_coordinator_that_lies_about_bands_is_named(large: Model, model: Model) -> None:
    talk = BandTalk(large)
    talk.sent()
    talk.accept()
    with pytest.raises(Dishonest, match="asks for frame 6 of 6"):
        talk.submission.take(WantFrame("job", (6,)))
    with pytest.raises(Dishonest, match="not of its region"):
        talk.submission.take(talk.result(0, talk.pieces(1)))
    several = Talk(model)
    several.sent()
    with pytest.raises(Dishonest, match="a job in bands of 12 rows"):
        several.accepted = partial(several.accepted, band_rows=12)  # type: ignore[method-assign]
        several.accept()
