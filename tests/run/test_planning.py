"""`ztopo plan`: what a change of what runs would do, asked of a topology that runs."""

from __future__ import annotations

import json
import stat

from tests.run.conftest import World
from topo.run import wire
from topo.run.client import find
from topo.steps import ChangePlan, said

RELAY = "device relay: streamer { in PULL bind tcp://127.0.0.1:*; out PUSH bind ipc://relay.out { sndhwm 7 } }\n"


def test_what_does_not_run_has_nothing_to_change(world: World) -> None:
    world.topology(RELAY)
    planned = world.run("plan")
    assert (planned.returncode, planned.stdout) == (3, "")
    assert planned.stderr.splitlines()[-1] == "t is not running, so there is nothing to change; `ztopo up t.ztopo` starts it"


def test_an_invalid_file_is_refused(world: World) -> None:
    world.topology(RELAY.replace("sndhwm 7", "sndhwm -7"))
    planned = world.run("plan", "t.ztopo")
    assert (planned.returncode, planned.stdout) == (78, "")
    assert "ZT503" in planned.stderr


def test_a_plan_compares_with_what_runs(world: World) -> None:
    """Not with a file; nor does it change anything, until something has."""
    world.topology(RELAY)
    up = world.up("t.ztopo")
    up.wait_for("^t is ready")
    planned = world.run("plan", "--exit-code")
    assert (planned.returncode, planned.stdout) == (0, "t: nothing to change, 1 unchanged\n")

    topology = find("t", world.environment)
    (relay,) = topology.snapshot().devices
    bound = relay.sockets[0].bound[0]
    world.topology(RELAY.replace("tcp://127.0.0.1:*", bound).replace("device relay", "\n\n\ndevice relay"))
    assert world.run("plan", "--exit-code").returncode == 0

    world.topology(RELAY.replace("sndhwm 7", "sndhwm 8") + RELAY.replace("relay", "other"))
    planned = world.run("plan", "--exit-code", "-o", "saved")
    assert planned.returncode == 1
    assert planned.stdout.splitlines()[0] == "t: 1 added, 1 changed, 0 unchanged"
    assert "    ~ out option sndhwm: 7 → 8" in planned.stdout.splitlines()
    assert world.run("plan").returncode == 0
    document = json.loads(world.run("plan", "--format", "json").stdout)
    assert document["counts"] == {"added": 1, "removed": 0, "changed": 1, "unchanged": 0}

    saved = world.folder / "saved"
    assert stat.S_IMODE(saved.stat().st_mode) == 0o600
    plan: ChangePlan = wire.read(saved.read_bytes(), ChangePlan)
    assert [said(step) for step in plan.steps] == ["set sndhwm of relay.out", "start other"]
    assert plan.serial == topology.snapshot().serial == document["serial"]
    assert world.run("down").returncode == 0


def test_a_plan_that_cannot_be_saved_is_not_shown(world: World) -> None:
    world.topology(RELAY)
    up = world.up("t.ztopo")
    up.wait_for("^t is ready")
    planned = world.run("plan", "-o", "nowhere/saved")
    assert (planned.returncode, planned.stdout) == (2, "")
    assert planned.stderr.splitlines()[-1] == "error: cannot write nowhere/saved: No such file or directory"


def test_what_runs_stands_for_its_file(world: World) -> None:
    world.topology(RELAY)
    world.write("other.ztopo", "ztopo 1\ntopology other\n")
    assert world.run("plan").stderr.startswith("error: this folder holds several .ztopo files"), "and nothing runs"
    assert world.run("plan", "t").returncode == 2
    up = world.up("t.ztopo")
    up.wait_for("^t is ready")
    for arguments in ((), ("t",)):
        planned = world.run("plan", *arguments)
        assert (planned.returncode, planned.stdout) == (0, "t: nothing to change, 1 unchanged\n")
    world.topology(RELAY.replace("sndhwm 7", "sndhwm 8"))
    assert world.run("apply", "t").stderr.endswith("changed: 1 changed\n")
    assert world.run("down").returncode == 0


def test_what_runs_stands_for_its_file_with_the_params_that_were_set(world: World) -> None:
    world.topology('param side: text = "there"\ndevice d: streamer { in PULL bind ipc://./${side}; out PUSH bind ipc://./out }\n')
    up = world.up("t.ztopo", "--set", "side=elsewhere")
    up.wait_for("^t is ready")
    assert world.run("plan", "t").stdout == "t: nothing to change, 1 unchanged\n"
    for arguments in (("t", "--set", "side=third"), ("t.ztopo",)):
        assert world.run("plan", *arguments).stdout.startswith("t: 1 changed"), "what is said counts"
    assert world.run("down").returncode == 0
