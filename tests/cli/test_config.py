"""The TOML file: what it may say, one line for what it may not, and that the command line wins."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some
from support.command import Outcome, ftdist_command

from ftdist.cli.config import Config, defaults_of, read_config
from ftdist.errors import InputError

Refused = Callable[..., Outcome]

EVERYTHING = """
[model]
file = "models/net.ftd"
cache = "/var/cache/ftdist"
cache_size = "500M"
[memory]
budget = 134217728
[coordinator]
listen = "tcp://0.0.0.0:5555"
address = "tcp://192.168.1.10:5555"
threads = 2
heartbeat_s = 0.5
trace = "trace.json"
announce = true
[job]
threads = 3
in_flight = 1
band_rows = 64
attempts = 5
speculate = false
mix_unfused = true
prepare = false
[security]
keys = "keys"
insecure = true
[observe]
page = "127.0.0.1:8080"
page_token = "token"
log = "json"
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "cluster.toml"
    path.write_text(text)
    return path


def test_every_value_is_read(tmp_path: Path) -> None:
    config = read_config(written(tmp_path, EVERYTHING))
    assert config.model.file == tmp_path / "models/net.ftd"
    assert config.model.cache == Path("/var/cache/ftdist") and config.model.cache_size == "500M"
    assert config.memory.budget == "134217728"
    coordinator = config.coordinator
    assert (coordinator.listen, coordinator.threads) == ("tcp://0.0.0.0:5555", 2)
    assert coordinator.reached_at == coordinator.address == "tcp://192.168.1.10:5555"
    assert coordinator.heartbeat_s == 0.5 and coordinator.trace == tmp_path / "trace.json"
    assert coordinator.announce
    job = config.job
    assert (job.threads, job.in_flight, job.attempts) == (3, 1, 5) and job.band_rows == 64
    assert (job.speculate, job.mix_unfused, job.prepare) == (False, True, False)
    assert config.security.keys == tmp_path / "keys" and config.security.insecure
    observe = config.observe
    assert (observe.page, observe.log) == ("127.0.0.1:8080", "json")
    assert observe.page_token == tmp_path / "token"
    for table in fields(Config):  # and the text above leaves out none
        for each in fields(getattr(config, table.name)):
            assert f"\n{each.name} = " in EVERYTHING


def test_without_a_value_the_command_decides(tmp_path: Path) -> None:
    assert read_config(written(tmp_path, "")) == Config()
    known = defaults_of(Config())
    assert known["run"] == known["status"] == {} and known["coordinator"] == {"threads": 0}


def test_workers_on_the_same_machine_need_no_address(tmp_path: Path) -> None:
    for listen, address in (
        ("tcp://0.0.0.0:5555", "tcp://127.0.0.1:5555"),
        ("tcp://192.168.1.10:5555", "tcp://192.168.1.10:5555"),
        ("tcp://127.0.0.1:0", None),
    ):
        config = read_config(written(tmp_path, f'[coordinator]\nlisten = "{listen}"'))
        assert defaults_of(config)["worker"].get("address") == address
        assert defaults_of(config)["submit"].get("to") == address


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[memory]\nbudgte = 1", ("[memory] budgte is not known; did you mean budget?",)),
        ("[memroy]\nbudget = 1", ("[memroy] is not known; did you mean [memory]?",)),
        ("[memory]\nin_flight = 1", ("[memory] in_flight is not known; it belongs in [job]",)),
        ("budget = 1", ("[budget] is not known; it belongs in [memory]",)),
        ("[job]\nzzz = 1", ("zzz is not known; there are threads, in_flight",)),
        ("[zzz]", ("[zzz] is not known; there are [model], [memory]",)),
        ("memory = 1", ("[memory] is a table",)),
        ("[[memory]]", ("[memory] is a table",)),
        ('[memory]\nbudget = "lots"', ("[memory] budget = 'lots'", "a size", "64M")),
        ("[memory]\nbudget = -1", ("budget = -1", "a size")),
        ("[memory]\nbudget = true", ("budget = true", "a size")),
        ('[coordinator]\nlisten = "5555"', ("listen = '5555'", "tcp://0.0.0.0:5555")),
        ('[coordinator]\naddress = "tcp://*:1"', ("address = 'tcp://*:1'", "192.168")),
        ("[coordinator]\nthreads = 1.5", ("threads = 1.5", "a whole number from 0")),
        ("[coordinator]\nthreads = true", ("threads = true", "a whole number from 0")),
        ("[coordinator]\nheartbeat_s = 0", ("heartbeat_s = 0", "from 0.05 to 60")),
        ("[coordinator]\nheartbeat_s = nan", ("heartbeat_s = nan", "from 0.05 to 60")),
        ("[job]\nattempts = 0", ("attempts = 0", "from 1 to 100")),
        ('[job]\nspeculate = "yes"', ("speculate = 'yes'", "true or false")),
        ("[security]\ninsecure = 1", ("insecure = 1", "true or false")),
        ("[security]\nkeys = []", ("keys = []", "a path in quotes")),
        ('[model]\nfile = ""', ("file = ''", "a path in quotes")),
        ('[model]\nfile = "\\u0000"', ("a path in quotes",)),
        ("[model]\nfile = 'x'\nfile = 'y'", ("is not a TOML file", "overwrite")),
        ("[model\n", ("is not a TOML file", "line 1")),
        ("x = " + "[" * 50_000, ("is not a TOML file",)),
        ("#" * (2 << 20), ("too large",)),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    tmp_path: Path, text: str, words: tuple[str, ...]
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(InputError) as raised:
        read_config(path)
    message = str(raised.value)
    assert message.startswith(f"{path}: ") and "\n" not in message
    for word in words:
        assert word in message


@given(some.binary(max_size=300))
def test_any_bytes_are_a_config_or_a_line(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_bytes(content)
    try:
        assert isinstance(read_config(path), Config)
    except InputError as error:
        assert str(error).startswith(str(path))


# ---- on the command line


def test_run_takes_what_is_missing_from_the_file(things: Path, tmp_path: Path) -> None:
    model = things / "chain.ftd"
    text = f'[model]\nfile = "{model}"\n[memory]\nbudget = "300M"\n[job]\nthreads = 1\n'
    config = written(tmp_path, text)
    image = things / "image.npy"
    for arguments, budget in (
        ((image,), 300),
        ((model, image), 300),
        ((image, "--mem", "200M"), 200),
        ((image, f"--config={config}"), 300),
    ):
        more = () if f"--config={config}" in arguments else ("--config", config)
        outcome = ftdist_command("run", *arguments, *more, "--json", "r.json", folder=tmp_path)
        assert outcome.status == 0, outcome
        report = json.loads((tmp_path / "r.json").read_text())
        assert report["predicted"]["budget"]["bytes"] == budget << 20
        assert report["plan"]["threads"] == 1
    planned = ftdist_command("plan", "--config", config, folder=tmp_path)
    assert planned.status == 0 and "300.0 MiB" in planned.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("run", "--config", "absent.toml", "x.npy"), ("absent.toml", "No such file")),
        (("run", "--config", "c.toml", "x.npy"), ("arguments are required: INPUT",)),
        (("run", "--conf", "c.toml", "m", "x"), ("--config FILE.toml",)),
        (("submit", "x.npy", "-o", "o", "--config", "c.toml"), ("required: --to",)),
        (("status", "--config", "c.toml"), ("required: tcp://HOST:PORT",)),
        (("status", "--config", "bad.toml"), ("bad.toml", "[job] x is not known")),
        (("coordinator",), ("no model",)),
        (("doctor", "--config", "c.toml"), ("unrecognized arguments",)),
    ],
)
def test_bad_files_and_missing_values_are_refused(
    tmp_path: Path, refused: Refused, arguments: tuple[str, ...], words: tuple[str, ...]
) -> None:
    (tmp_path / "c.toml").write_text("[job]\nthreads = 1\n")
    (tmp_path / "bad.toml").write_text("[job]\nx = 1\n")
    refused(*arguments, words=words)
