"""What the language says and ztopo does not do yet is said and refused; what is secret is shown nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest
import zmq

from tests.cli.conftest import Ztopo
from topo.source import Source
from topo.syntax import tree
from topo.syntax.parse import parse

LATER = {
    "host": 'host rack[8] "10.0.0.${10 + index}"',
    "on": "app a: PUB bind tcp://*:5555 { on rack[0] }",
    "control": "device a: queue { in bind tcp://*:5555; out bind tcp://*:5556; control PAIR bind inproc://control }",
    "security": 'security internal: curve { server_key file "keys/gateway.key_secret"; allow "keys/clients/" }',
    "secured by": "app a: PUB bind tcp://*:5555 secured by internal",
    "secured by as": "app a: PUB bind tcp://*:5555 secured by internal as client",
}


@pytest.mark.parametrize("name", LATER)
def test_what_is_not_carried_out_yet_is_reported_and_refused_and_formatted(ztopo: Ztopo, tmp_path: Path, name: str) -> None:
    (tmp_path / "x.ztopo").write_text(f"ztopo 1\n{LATER[name]}\n")
    checked = ztopo("check", "--format", "concise")
    assert checked.returncode == 1
    assert [
        line.partition(": error[ZT110]: ")[2].endswith("is understood, but not carried out yet")
        for line in checked.stdout.splitlines()
    ] == [True]
    up = ztopo("up", XDG_RUNTIME_DIR=str(tmp_path))
    assert up.returncode == 78
    assert "error[ZT110]" in up.stderr
    assert ztopo("show").returncode == 1
    assert ztopo("fmt").returncode == 0
    assert ztopo("check", "--format", "concise").stdout.count("ZT110") == 1


def test_what_is_not_carried_out_yet_is_kept() -> None:
    text = "ztopo 1\n" + "\n".join(LATER[name] for name in ("host", "on", "control", "security", "secured by as"))
    _, host, app, controlled, security, secured = parse(Source(text))[0].statements
    assert isinstance(host, tree.Host)
    assert (host.name.text, host.bracket and host.bracket.text, host.address.span.text) == ("rack", "8", '"10.0.0.${10 + index}"')
    assert isinstance(app, tree.App)
    assert app.block is not None
    (on,) = app.block.items
    assert isinstance(on, tree.On)
    assert on.host.span.text == "rack[0]"
    assert isinstance(controlled, tree.Device)
    assert [item.side.text for item in controlled.block.items if isinstance(item, tree.Side)] == ["in", "out", "control"]
    assert isinstance(security, tree.Security)
    assert security.block is not None
    assert security.mechanism.text == "curve"
    assert [item.span.text for item in security.block.items] == [
        'server_key file "keys/gateway.key_secret"',
        'allow "keys/clients/"',
    ]
    assert isinstance(secured, tree.App)
    assert secured.spec is not None
    clause = secured.spec.clauses[-1]
    assert isinstance(clause, tree.Secured)
    assert (clause.name.text, clause.role and clause.role.text) == ("internal", "client")


PUBLIC, SECRET = (key.decode() for key in zmq.curve_keypair())
CLIENT_PUBLIC, CLIENT_SECRET = (key.decode() for key in zmq.curve_keypair())
PASSWORD = "hunter2-hunter2"
HIDDEN = (SECRET, CLIENT_SECRET, PASSWORD)

SECURE = f"""ztopo 1
param client_key = env("CLIENT_KEY")
param password: text = env("PASSWORD")
device jobs: streamer {{
    in  PULL bind tcp://127.0.0.1:* {{ curve_server true; zap_domain "jobs"; curve_secretkey file "keys/server.secret" }}
    out PUSH bind ipc://jobs
}}
app work: PUSH connect jobs.in {{
    curve_serverkey file "keys/server.public"; curve_publickey "{CLIENT_PUBLIC}"; curve_secretkey ${{client_key}}
    run "false"
}}
app more: REQ connect tcp://10.0.0.1:5555 {{ plain_username "joe"; plain_password "${{password}}" }}
"""
WRONG = {
    "nothing": ("", ""),
    "a key that is too long": ("curve_secretkey ${client_key}", 'curve_secretkey "x${client_key}"'),
    "a key of another type": ("param client_key =", "param client_key: int ="),
    "arithmetic with a key": ("curve_secretkey ${client_key}", "curve_secretkey ${client_key + 1}"),
    "an option that there is not": ("plain_password", "plain_pasword"),
    "a name that there is not": ("connect jobs.in", "connect job.in"),
    "two of them": ("curve_secretkey ${client_key}", "curve_secretkey ${client_key}, ${client_key}"),
    "one twice": ("plain_username", 'plain_password "${password}"; plain_username'),
}
RIGHT = ("nothing", "one twice")
VERBS = [
    *(["check", "--format", form] for form in ("full", "concise", "json", "sarif", "github")),
    *(["show", "--format", form] for form in ("ztopo", "json")),
    *(["graph", "--format", form] for form in ("ascii", "mermaid")),
    ["fmt", "--diff"],
    ["trace", "x.ztopo", "work", "jobs"],
    ["export", "zdcf", "x.ztopo"],
    ["up"],
]


@pytest.mark.parametrize("name", WRONG)
def test_keys_and_passwords_are_shown_nowhere(ztopo: Ztopo, tmp_path: Path, name: str) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "server.secret").write_text(SECRET + "\n")
    (tmp_path / "keys" / "server.public").write_text(PUBLIC + "\n")
    text = SECURE.replace(*WRONG[name])
    assert text != SECURE or name == "nothing"
    (tmp_path / "x.ztopo").write_text(text)
    ended = {}
    for verb in VERBS:
        done = ztopo(*verb, CLIENT_KEY=CLIENT_SECRET, PASSWORD=PASSWORD, XDG_RUNTIME_DIR=str(tmp_path))
        ended[" ".join(verb)] = done.returncode
        for secret in HIDDEN:
            assert secret not in done.stdout + done.stderr, verb
    assert ended["check --format full"] == (name not in RIGHT)
    assert ended["up"] == (1 if name in RIGHT else 78)  # the app fails
