"""What a home is told, by a client that remembers it instead of a broker's."""

from __future__ import annotations

import json
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

    def is_connected(self) -> bool:
        return self.connected

    def publish(self, topic: str, payload: str, retain: bool = False) -> Client:
        self.sent.append((topic, payload, retain))
        return self

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any, **options: Any) -> None:
            self.calls[name] = (*arguments, *options.values())

        return call


def connected(address: str) -> tuple[Publisher, Client]:
    client = Client()
    publisher = Publisher(address, lambda: client)
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
    client.on_connect(client, None, None, 0, None)
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
    ["home", "http://home/x", "mqtt:///x", "mqtt://home", "mqtt://home/a/#", "mqtt://home:x/a"],
)
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(InputError, match="mqtt://HOST/TOPIC"):
        Publisher(address, Client)
