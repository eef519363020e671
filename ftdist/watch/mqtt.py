"""Publishes what was seen by MQTT, in the form that Home Assistant reads, with paho-mqtt.

TOPIC                                   the last record: what was seen, counts, frames dropped
TOPIC/available                         online or offline, kept by the broker; it says offline
                                        where we went without a word
homeassistant/sensor/NAME/config        so that a sensor appears there by itself: its state is
                                        the number of objects, its attributes the record
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from ftdist.errors import FtdistError, InputError
from ftdist.extras import needing

_PORT, _SECURE_PORT = 1883, 8883
_FIRST_S, _LONGEST_S = 1, 60
_NO_TOPIC = ("#", "+", "\0")
_MOST_TOPIC_BYTES = 65_000
"""MQTT allows 65,535, with what is put behind it."""


class Publisher:
    """A connection to a broker, which is made again by itself; what is not sent is not kept.

    `told` gets a line when the broker refuses, is not there or goes, and when all is well again.
    """

    def __init__(
        self, address: str, told: Callable[[str], None], make: Callable[[], Any] | None = None
    ) -> None:
        """InputError for what is not an address; nothing is connected yet."""
        parts = urlsplit(address)
        self.topic = unquote(parts.path).strip("/")
        try:
            port = parts.port
        except ValueError:
            port = -1
        more = parts.query or "#" in address or any(each in self.topic for each in _NO_TOPIC)
        more = more or len(self.topic.encode()) > _MOST_TOPIC_BYTES
        wrong = more or parts.scheme not in ("mqtt", "mqtts") or not parts.hostname or port == -1
        if wrong or not self.topic:
            raise InputError(
                f"--mqtt {address}: write mqtt://HOST/TOPIC, such as mqtt://home/ftdist/door"
            )
        is_secure = parts.scheme == "mqtts"
        self._place = parts.hostname or "", port or (_SECURE_PORT if is_secure else _PORT)
        self._told = told
        self._trouble: str | None = None
        self._client = (make or _paho)()
        if parts.username:
            self._client.username_pw_set(unquote(parts.username), unquote(parts.password or ""))
        if is_secure:
            self._client.tls_set()
        self._client.will_set(f"{self.topic}/available", "offline", retain=True)
        self._client.reconnect_delay_set(_FIRST_S, _LONGEST_S)
        self._client.on_connect = self._connected
        self._client.on_connect_fail = self._absent
        self._client.on_disconnect = self._lost

    def start(self) -> None:
        """Begins to connect, and keeps trying."""
        try:
            self._client.connect_async(*self._place)
            self._client.loop_start()
        except (OSError, ValueError) as error:
            raise FtdistError(f"--mqtt: cannot connect to {self._place[0]}: {error}") from None

    def publish(self, record: Mapping[str, Any]) -> None:
        """Publishes what was seen on a frame."""
        if self._client.is_connected():
            self._client.publish(self.topic, json.dumps(state(record)))

    def stop(self) -> None:
        if self._client.is_connected():
            told = self._client.publish(f"{self.topic}/available", "offline", retain=True)
            told.wait_for_publish(_FIRST_S)
        self._client.disconnect()
        self._client.loop_stop()

    def _connected(
        self, client: Any, data: object, flags: object, reason: Any, properties: object
    ) -> None:
        if reason.is_failure:
            self._say(f"it refuses: {reason}")
            return
        if self._trouble is not None:
            self._trouble = None
            self._told(f"--mqtt: connected to {self._called}")
        name = re.sub(r"[^A-Za-z0-9_-]+", "_", self.topic)
        client.publish(
            f"homeassistant/sensor/{name}/config", json.dumps(self._sensor(name)), retain=True
        )
        client.publish(f"{self.topic}/available", "online", retain=True)

    def _absent(self, client: object, data: object) -> None:
        self._say("nothing answers there")

    def _lost(
        self, client: object, data: object, flags: object, reason: Any, properties: object
    ) -> None:
        if reason.is_failure:
            self._say("it is gone", first=True)

    def _say(self, trouble: str, *, first: bool = False) -> None:
        """Tells of trouble that is another one than before; `first`: where there was none."""
        if trouble == self._trouble or (first and self._trouble is not None):
            return
        self._trouble = trouble
        self._told(f"--mqtt: {self._called}: {trouble}; trying again")

    @property
    def _called(self) -> str:
        host, port = self._place
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def _sensor(self, name: str) -> dict[str, Any]:
        return {
            "name": self.topic,
            "unique_id": f"ftdist_{name}",
            "state_topic": self.topic,
            "value_template": "{{ value_json.count }}",
            "json_attributes_topic": self.topic,
            "availability_topic": f"{self.topic}/available",
            "icon": "mdi:cctv",
        }


def state(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record with the number of objects in all and by label, for conditions in automations."""
    seen = record.get("detections") or record.get("classes") or ()
    counts = Counter(each["label"] for each in seen)
    return {"count": len(seen), "objects": dict(counts), **record}


def _paho() -> Any:
    with needing("--mqtt", "paho-mqtt", "mqtt"):
        from paho.mqtt import client
    library: Any = client
    return library.Client(library.CallbackAPIVersion.VERSION2)
