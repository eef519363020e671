"""What a home is told, by a client that remembers it instead of a broker's."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from ftdist.errors import InputError
from ftdist.watch.mqtt import Publisher, state

RECORD = {
    "file": "cam#7",
    "detections": [{"label": each, "score": 0.9} for each in ("person", "car", "person")],
    "dropped": 3,
}


class Client:
    """Stands for paho's: connected when it is told to be."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, Any, bool]] = []
        self.calls: dict[str, tuple[Any, ...]] = {}
        self.connected = False
        self.on_connect: Any = None
        self.on_connect_fail: Any = None
        self.on_disconnect: Any = None

    def is_connected(self) -> bool:
        return self.connected

    def publish(self, topic: str, payload: str, retain: bool = False) -> Client:
        self.sent.append((topic, payload, retain))
        return self

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any, **options: Any) -> None:
            self.calls[name] = (*arguments, *options.values())

        return call


class Reason:
    """Stands for paho's, of a connection that is made, refused or lost."""

    def __init__(self, text: str = "") -> None:
        self.is_failure = bool(text)
        self._text = text

    def __str__(self) -> str:
        return self._text


def connected(address: str, told: Callable[[str], None] = print) -> tuple[Publisher, Client]:
    client = Client()
    publisher = Publisher(address, told, lambda: client)
    publisher.start()
    return publisher, client


def test_a_home_is_told_of_the_sensor_and_of_each_record() -> None:
    publisher, client = connected("mqtt://user:p%40ss@home:1884/ftdist/door")
    assert client.calls["connect_async"] == ("home", 1884)
    assert client.calls["username_pw_set"] == ("user", "p@ss")
    assert client.calls["will_set"] == ("ftdist/door/available", "offline", True)
    publisher.publish(RECORD)
    assert client.sent == []  # not connected yet: what is old by then is not kept
    client.connected = True
    client.on_connect(client, None, None, Reason(), None)
    publisher.publish(RECORD)
    publisher.stop()
    (config, online, told, offline) = client.sent
    sensor = json.loads(config[1])
    assert config[0] == "homeassistant/sensor/ftdist_door/config" and config[2]
    assert sensor["state_topic"] == told[0] == "ftdist/door"
    assert sensor["availability_topic"] == online[0] == offline[0]
    assert (online[1], offline[1]) == ("online", "offline")
    assert json.loads(told[1])["count"] == 3 and "loop_stop" in client.calls


def test_objects_are_counted_by_label() -> None:
    found = state(RECORD)
    assert found["objects"] == {"person": 2, "car": 1} and found["dropped"] == 3
    assert state({"file": "cam#8", "detections": []})["count"] == 0


@pytest.mark.parametrize(
    "address",
    [
        *("home", "http://home/x", "mqtt:///x", "mqtt://home", "mqtt://home:x/a"),
        *("mqtt://home/a/#", "mqtt://home/a/%23", "mqtt://home/+", "mqtt://home/%2b"),
        *("mqtt://home/%00", "mqtt://home/" + "x" * 65_536),
    ],
)
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(InputError, match="mqtt://HOST/TOPIC"):
        Publisher(address, print, Client)


def test_trouble_with_a_broker_is_said_once_and_its_end_too() -> None:
    said: list[str] = []
    _, client = connected("mqtt://home/door", said.append)
    for _ in range(3):
        client.on_connect_fail(client, None)
    for _ in range(3):
        client.on_connect(client, None, None, Reason("Not authorized"), None)
        client.on_disconnect(client, None, None, Reason("Unspecified error"), None)
    assert client.sent == []  # whoever is refused publishes nothing
    client.on_connect(client, None, None, Reason(), None)
    client.on_disconnect(client, None, None, Reason("Unspecified error"), None)
    client.on_connect(client, None, None, Reason(), None)
    client.on_disconnect(client, None, None, Reason(), None)  # as was asked
    assert said == [
        "--mqtt: home:1883: nothing answers there; trying again",
        "--mqtt: home:1883: it refuses: Not authorized; trying again",
        "--mqtt: connected to home:1883",
        "--mqtt: home:1883: it is gone; trying again",
        "--mqtt: connected to home:1883",
    ]
