"""Sending without waiting: short queues, pieces of the model read late, peers that are gone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import zmq
from support.command import GUARD_S
from support.smallmodels import CHAIN, write_small_model

from ftdist.cluster.server import peer_channels as module
from ftdist.cluster.server.model_reader import ModelReader, header_bytes
from ftdist.cluster.server.peer_channels import MOST_REQUESTS, PeerChannels
from ftdist.cluster.transport import (
    Context,
    Socket,
    bind,
    close,
    connect,
    make_context,
    receive,
    send,
)
from ftdist.errors import FtdistError
from ftdist.network.modelfile import Model, load
from ftdist.protocol.client_messages import StatusRequest
from ftdist.protocol.limits import PROTOCOL
from ftdist.protocol.messages import FROM_CLIENT, FROM_COORDINATOR, Message
from ftdist.protocol.shared_messages import HEADER, Beat, ModelChunk, ModelRequest
from ftdist.protocol.worker_messages import Forget

PIECE = 1000


def word(text: str) -> Message:
    """A message that is nothing but itself."""
    return Forget(text, 0, ())


@pytest.fixture
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return load(write_small_model(tmp_path_factory.mktemp("model") / "chain.ftd", CHAIN))


class Post:
    """A socket with PeerChannels behind it, and peers that connect to it."""

    def __init__(self, model: Model) -> None:
        self.context: Context = make_context()
        self.socket = bind(self.context, "inproc://socket", waiting=1)
        self.channels = PeerChannels({b"r": self.socket}, ModelReader(model))
        self.sockets: list[Socket] = []

    def peer(self) -> tuple[bytes, Socket]:
        """One that has said something, and has room for hardly anything."""
        socket = connect(self.context, "inproc://socket", waiting=1)
        self.sockets.append(socket)
        send(socket, StatusRequest(PROTOCOL))
        assert self.socket.poll(int(GUARD_S * 1e3))
        received = receive(self.socket, FROM_CLIENT)
        assert received is not None
        name = b"r" + received.peer
        self.channels.channel(name)
        return name, socket

    def read(self, name: bytes, socket: Socket) -> list[Message]:
        """All that a peer gets while the channels are flushed."""
        found: list[Message] = []
        while True:
            self.channels.flush()
            waits = name in self.channels._touched
            if not socket.poll(5 if waits else 100):
                if waits:
                    continue
                return found
            received = receive(socket, FROM_COORDINATOR)
            assert received is not None and not isinstance(received.message, Exception)
            found.append(received.message)

    def close(self) -> None:
        for socket in (self.socket, *self.sockets):
            close(socket, 0)
        self.context.term()


@pytest.fixture
def post(model: Model) -> Iterator[Post]:
    made = Post(model)
    yield made
    made.close()


def request(model: Model, layer: int, number: int) -> ModelRequest:
    return ModelRequest(model.blobs[layer].digest, layer, number * PIECE, PIECE)


def test_nothing_waits_for_a_slow_peer_and_nothing_is_lost_or_out_of_order(post: Post) -> None:
    slow, slow_socket = post.peer()
    quick, quick_socket = post.peer()
    drains = [word(str(number)) for number in range(50)]
    for each in drains:
        post.channels.send(slow, each)
    assert post.channels.waits
    post.channels.send(quick, word("quick"))
    assert post.read(quick, quick_socket) == [word("quick")]
    assert post.read(slow, slow_socket) == drains
    assert not post.channels.waits and post.channels.take_gone() == []


def test_signs_of_life_do_not_queue_up(post: Post) -> None:
    peer, socket = post.peer()
    for number in range(20):
        post.channels.send(peer, word(str(number)))
        post.channels.send(peer, Beat())
    got = post.read(peer, socket)
    assert [each for each in got if isinstance(each, Forget)] == [word(str(n)) for n in range(20)]
    assert got.count(Beat()) < 5


def test_pieces_of_the_model_are_read_when_they_are_sent(post: Post, model: Model) -> None:
    peer, socket = post.peer()
    reads: list[ModelRequest] = []
    reader = post.channels._reader
    usual = reader.chunk

    def counted(request: ModelRequest) -> ModelChunk:
        reads.append(request)
        return usual(request)

    reader.chunk = counted  # type: ignore[method-assign]
    wanted = [request(model, 2, number) for number in range(6)]
    assert [post.channels.answer(peer, each) for each in wanted] == [""] * 6
    assert len(reads) < 6
    got = post.read(peer, socket)
    assert [(each.layer, each.offset) for each in got] == [(2, n * PIECE) for n in range(6)]  # type: ignore
    start = model.blobs[2].start
    whole = np.concatenate([each.data for each in got])  # type: ignore[union-attr]
    assert np.array_equal(whole, model.weights[start : start + 6 * PIECE])


def test_who_asks_for_too_much_at_a_time_is_told_so(post: Post, model: Model) -> None:
    peer, _ = post.peer()
    wanted = [ModelRequest(model.blobs[2].digest, 2, n, 1) for n in range(MOST_REQUESTS + 9)]
    flaws = [post.channels.answer(peer, each) for each in wanted]
    assert flaws[MOST_REQUESTS - 1] == "" and "pieces of the model at a time" in flaws[-1]


def test_requests_that_make_no_sense_are_refused(model: Model) -> None:
    reader = ModelReader(model)
    good = request(model, 2, 0)
    assert reader.flaw(good) == ""
    size = model.blobs[2].bytes
    assert reader.flaw(replace(good, offset=size - PIECE)) == ""
    assert "more of layer 2" in reader.flaw(replace(good, offset=size - PIECE + 1))
    assert "which has none" in reader.flaw(replace(good, layer=1))
    assert "which has none" in reader.flaw(replace(good, layer=60000))
    assert "another model" in reader.flaw(replace(good, digest="0" * 32))
    header = ModelRequest(model.digest, HEADER, 0, header_bytes(model))
    assert reader.flaw(header) == ""
    assert "another model" in reader.flaw(replace(header, digest=good.digest))
    assert "more of layer -1" in reader.flaw(replace(header, offset=1))


def test_a_model_file_that_shrinks_is_an_error(model: Model) -> None:
    with model.path.open("rb+") as file:
        file.truncate(header_bytes(model) + 10)
    with pytest.raises(FtdistError, match="cut short"):
        ModelReader(model).chunk(request(model, 2, 0))


def test_a_peer_that_is_gone_is_named_once(post: Post) -> None:
    gone, gone_socket = post.peer()
    here, here_socket = post.peer()
    channel = post.channels.channel(gone)
    close(gone_socket, 0)
    left = int(GUARD_S * 100)
    while not (found := post.channels.take_gone()):
        post.channels.ping()
        left -= 1
        assert left and not post.socket.poll(10)
    assert found == [gone]
    assert post.channels.channel(gone) is channel, "what it sent before is not a stranger's"
    post.channels.send(gone, word("?"))
    post.channels.ping()
    assert post.channels.take_gone() == []
    assert Beat() in post.read(here, here_socket) and here != gone


def test_a_peer_that_takes_nothing_for_too_long_counts_as_gone(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST_WAITING", 10)
    peer, _ = post.peer()
    for number in range(30):
        post.channels.send(peer, word(str(number)))
    assert post.channels.take_gone() == [peer] and not post.channels.waits


def test_closed_contexts_do_not_matter_to_peers_of_another_door(model: Model) -> None:
    """Names of peers begin with their socket: two sockets may give out the same one."""
    with zmq.Context() as context:
        sockets = {name: bind(context, f"inproc://{name.decode()}") for name in (b"r", b"l")}
        channels = PeerChannels(sockets, ModelReader(model))
        peers = {}
        for name, socket in sockets.items():
            peers[name] = connect(context, f"inproc://{name.decode()}")
            peers[name].send(b"")
            identity, _ = socket.recv_multipart()
            channels.channel(name + identity)
            channels.send(name + identity, word(name.decode()))
        for name, socket in peers.items():
            received = receive(socket, FROM_COORDINATOR)
            assert received is not None and received.message == word(name.decode())
        for socket in (*sockets.values(), *peers.values()):
            close(socket, 0)
