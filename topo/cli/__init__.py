"""The `ztopo` command: one verb per file of this folder, found by looking into it.

A verb is a module with a click command named `command`, perhaps `aliases`, and `hears_signals = True` if it lets signals through
itself, once it can do something about them. All of them are imported for `ztopo --help`,
so none imports anything heavier than click at its head: what a verb needs, it imports in its function.

A verb returns an `Exit`. Data goes to standard output by `out`, everything else to standard error by `say`; both know how to
deal with a reader that has gone away. Every option can also come from `ZTOPO_CLI_<VERB>_<OPTION>`.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Sequence
from enum import IntEnum
from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn, TextIO, TypeVar

import click

from topo.signals import let_through

if TYPE_CHECKING:
    from topo.compile import Compilation
    from topo.diagnostic import Diagnostic
    from topo.render import Style
    from topo.run.client import Topology
    from topo.run.past import Past
    from topo.source import Source
    from topo.timing import Watch

__all__ = [
    "Exit",
    "Refusal",
    "as_started",
    "changed_argument",
    "color_option",
    "compiled",
    "declared_in",
    "end_with_reader",
    "file_argument",
    "files_argument",
    "formats",
    "host_says",
    "main",
    "must_run_here",
    "name_argument",
    "only_file",
    "out",
    "output_option",
    "past_of",
    "replace",
    "report",
    "say",
    "set_option",
    "source_of",
    "style_for",
    "topology",
    "write_data",
]

F = TypeVar("F", bound=Callable[..., Any])


EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN, errno.ENOSPC, errno.EDQUOT)
"""What the system says when it has no more of something. That is no mistake of ours, wherever it happens."""


class Exit(IntEnum):
    """What the program ends with, whatever the verb."""

    DONE = 0
    FINDINGS = 1
    """There were findings or differences, or a device failed for good."""
    USAGE = 2
    """Wrong usage, a file that cannot be read, a mistake of our own."""
    NOT_RUNNING = 3
    UNREACHABLE = 4
    """It runs, but does not answer."""
    INVALID = 78
    """Refused to start, or to change to, an invalid topology."""
    FORCED = 130
    """Interrupted before it was done; for `up`, a second signal."""


# -- writing ----------------------------------------------------------------------------------------------------------------------


def out(text: str) -> bool:
    """Write data to standard output, and say whether anybody reads it.

    If nobody does any more, it goes nowhere: what a verb found out stays the same.
    """
    try:
        return _write(sys.stdout, text)
    except OSError as error:
        _silence(sys.stdout)  # or Python would try to write the rest at its end, and fail again
        raise click.ClickException(f"cannot write to standard output: {error.strerror}") from error


def end_with_reader() -> None:
    """For verbs that only show what comes: end the program, with 0, once nobody reads standard output, even if nothing comes."""
    import select
    import threading

    def watch() -> None:
        gone = select.poll()
        gone.register(sys.stdout.fileno(), 0)  # which tells of errors alone
        gone.poll()
        os._exit(Exit.DONE)

    threading.Thread(target=watch, name="ztopo reader", daemon=True).start()


def say(text: str) -> None:
    """Write a line for people to standard error. On a terminal it breaks at blanks, and not within a `command`."""
    from topo.text import sentence

    if "\n" not in text and "\x1b" not in text and sys.stderr.isatty():
        text = "\n".join(sentence(text, _width()))
    try:
        _write(sys.stderr, text + "\n")
    except OSError:  # there is no place left to say so
        _silence(sys.stderr)


def write_data(text: str, path: str | None) -> None:
    """Write data to a file, or to standard output if there is no path."""
    if path is None or path == "-":
        out(text)
        return
    try:
        with open(path, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except OSError as error:
        raise Refusal(f"cannot write {path}: {error.strerror}") from error


def replace(source: Source, text: str) -> None:
    """Give a file another text: at once, and it stays the file that it was."""
    from topo.rewrite import rewrite

    assert source.path is not None
    try:
        rewrite(source.path, text)
    except OSError as error:
        raise Refusal(f"cannot write {source.name}: {error.strerror}") from error


def _write(stream: TextIO, text: str) -> bool:
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        _silence(stream)
        return False
    return True


def _silence(stream: TextIO) -> None:
    """Let what is written from now on, and what is buffered, go nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def _prepare_streams() -> None:
    """See to it that writing cannot fail for reasons that are none of ours.

    Standard streams that were closed become /dev/null, here and in what is started from here, or the next file or socket opened
    would be taken for them. What the terminal's encoding does not have is written as an escape.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            _open_nowhere(number)
            setattr(sys, name, open(number, "w" if number else "r", encoding="utf-8", closefd=False))  # noqa: SIM115  # it stays open
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _open_nowhere(number: int) -> None:
    """Let a descriptor that was closed be /dev/null."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    if nowhere == number:
        os.set_inheritable(nowhere, True)
    else:
        os.dup2(nowhere, number)
        os.close(nowhere)


def style_for(stream: TextIO | None, color: str) -> Style:
    """How to write to a stream: in colour, how wide, in Unicode or ASCII."""
    from topo.render import Style

    terminal = stream is not None and stream.isatty()
    colored = color == "always" or (
        color == "auto" and terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    )
    try:
        "─▶…".encode(getattr(stream, "encoding", None) or "ascii")
        unicode = True
    except UnicodeEncodeError:
        unicode = False
    return Style(color=colored, width=_width() if terminal else _width_elsewhere(), unicode=unicode, terminal=terminal)


def _width() -> int:
    import shutil

    return max(40, shutil.get_terminal_size().columns)


def _width_elsewhere() -> int:
    """In a file or a pipe: what the environment says, or enough for everything."""
    columns = os.environ.get("COLUMNS", "")
    return max(40, int(columns)) if columns.isdecimal() and int(columns) else 200


# -- what verbs share -------------------------------------------------------------------------------------------------------------


class Refusal(click.ClickException):
    """The verb could not do it, and the reason is one that the user can mend: a line on standard error, exit 2."""

    exit_code = Exit.USAGE


def _given_or_only(context: click.Context, parameter: click.Parameter, value: Any) -> Any:
    """The file that was named, or the only one there is."""
    if value or context.resilient_parsing:
        return value
    return (only_file(),) if parameter.nargs == -1 else only_file()


def only_file() -> str:
    """The one topology in this folder, for whoever named none."""
    found = sorted(n for n in os.listdir() if n.endswith(".ztopo") and os.path.isfile(n))
    if len(found) == 1:
        return found[0]
    if not found:
        raise Refusal("there is no .ztopo file in this folder: name the file to use")
    raise Refusal("this folder holds several .ztopo files, name the one to use:\n" + "\n".join(f"  {n}" for n in found))


def _pairs(context: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> None:
    pairs = context.params["params"] = {}
    for item in value:
        name, equals, text = item.partition("=")
        if not equals or not name:
            raise click.BadParameter(f"{item!r} is not of the form name=value")
        pairs[name] = text


def file_argument(f: F) -> F:
    """`[FILE]`: the topology, `-` for standard input; it may be left out where the folder holds exactly one. Comes as `file`."""
    return click.argument("file", required=False, type=click.Path(), callback=_given_or_only)(f)


def changed_argument(f: F) -> F:
    """`[FILE|NAME]`: as `file_argument`, and a topology that runs stands for its file, also if nothing is said. Comes as `file`.

    With the file of what runs come the params that were set when it was started: see `as_started`.
    """
    return click.argument("file", required=False, metavar="[FILE|NAME]", type=click.Path(), callback=_given_or_running)(f)


def _given_or_running(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    if context.resilient_parsing or value == "-" or (value is not None and os.path.exists(value)):
        return value
    from topo.run.client import Trouble

    refusal: click.ClickException | None = None
    if value is None:
        try:
            return only_file()
        except Refusal as several:
            refusal = several
    try:
        running = topology(value)
    except (Trouble, Refusal):
        if refusal is not None:
            raise refusal from None
        return value  # of which is said then that it cannot be read
    if running.owner.program or not os.path.isfile(running.owner.file):
        raise Refusal(f"{running.id} runs from {running.owner.file}, which is no file: name the one to use")
    context.meta[STARTED_WITH] = running.owner.params
    return running.owner.file


STARTED_WITH = "ztopo.started_with"


def as_started(params: dict[str, str]) -> dict[str, str]:
    """These params, and where a topology that runs stands for its file, those that it was started with."""
    return {**click.get_current_context().meta.get(STARTED_WITH, {}), **params}


def files_argument(f: F) -> F:
    """`[FILE]...`, in the same way. Comes as `files`."""
    return click.argument("files", nargs=-1, type=click.Path(), callback=_given_or_only)(f)


def name_argument(f: F) -> F:
    """`[NAME]`: a topology that runs; it may be left out where that is only one. Comes as `name`; see `topology`."""
    return click.argument("name", required=False)(f)


def topology(name: str | None) -> Topology:
    """The topology that runs by that name, or from the file of that name.

    Ends the program with 3 if there is none, and says how the last run of it has ended if nobody had wanted that.
    """
    must_run_here()
    from topo.run.client import NotRunning, find

    try:
        try:
            return find(name)
        except NotRunning:
            if name is None or not os.path.isfile(name):
                raise
        return find(declared_in(name))
    except NotRunning as trouble:
        past = past_of(name)
        if past is None or not past.trouble:
            raise
        which = f"{past.name} is not running; it" if name else f"{trouble}; {past.name}"
        raise NotRunning(f"{which} {past.trouble}") from trouble


def past_of(name: str | None) -> Past | None:
    """The last run of the topology of that name, or from the file of that name; of whichever was the last, without a name."""
    from topo.run.past import latest, left_by, started_from

    if name is None:
        return latest()
    return left_by(declared_in(name) if os.path.isfile(name) else name) or started_from(name)


def must_run_here() -> None:
    """End the program with 2 where topologies do not run."""
    from topo.run import runs_here

    wrong = runs_here()
    if wrong is not None:
        raise Refusal(wrong.message)


def declared_in(file: str) -> str:
    """The name of the topology that a file declares, whatever else it says."""
    from topo.compile import compile as compile_source
    from topo.diagnostic import Diagnostic

    source = source_of(file)
    if isinstance(source, Diagnostic):
        raise Refusal(source.message)
    return compile_source(source).model.name


def set_option(f: F) -> F:
    """`--set name=value`, several times. Comes as the dictionary `params`."""
    text = "Give a param of the file another value. May be repeated."
    option = click.option("--set", multiple=True, metavar="NAME=VALUE", expose_value=False, callback=_pairs, help=text)
    return option(f)


def color_option(f: F) -> F:
    """`--color`. Comes as `color`; see `style_for`."""
    choice = click.Choice(["auto", "always", "never"])
    text = "Colours: on a terminal only (auto), always or never."
    return click.option("--color", type=choice, default="auto", show_default=True, help=text)(f)


def output_option(f: F) -> F:
    """`-o FILE`. Comes as `output`; see `write_data`."""
    return click.option("-o", "--output", metavar="FILE", help="Write to a file instead of standard output.")(f)


def formats(family: str) -> list[str]:
    """The formats there are for what `family` shows: one file `topo/render/<family>_<format>.py` each."""
    folder = os.path.join(os.path.dirname(os.path.dirname(__file__)), "render")
    start = family + "_"
    return sorted(n[len(start) : -3] for n in os.listdir(folder) if n.startswith(start) and n.endswith(".py"))


def source_of(file: str) -> Source | Diagnostic:
    """The text of a file, of standard input for `-`, or why it is none. What cannot be read ends the program with 2."""
    from pathlib import Path

    from topo.compile import LARGEST_FILE, read, text_of

    try:
        if file == "-":
            return text_of(sys.stdin.buffer.read(LARGEST_FILE + 1) if sys.stdin else b"", "<stdin>", None)
        return read(Path(file), file)
    except OSError as error:
        raise Refusal(f"cannot read {file}: {error.strerror}") from error
    except ValueError as error:  # a name with a NUL in it
        raise Refusal(f"cannot read {file!r}: {error}") from error


def compiled(file: str, params: dict[str, str], color: str, invalid: Exit = Exit.FINDINGS) -> Compilation:
    """Read and check a file for a verb that works with what it says; findings go to standard error.

    The program ends with 2 if the file cannot be read, with `invalid` if it is so wrong that there is no graph. A graph may
    come with errors all the same: see `Compilation.valid`.
    """
    from topo.compile import compile as compile_source
    from topo.diagnostic import Diagnostic, counted

    source = source_of(file)
    if isinstance(source, Diagnostic):
        report([source], color)
        raise click.exceptions.Exit(invalid)
    compilation = compile_source(source, params)
    report(counted(compilation.diagnostics), color)
    if compilation.graph is None:
        raise click.exceptions.Exit(invalid)
    return compilation


def host_says(compilation: Compilation, watch: Watch | None = None) -> tuple[Diagnostic, ...]:
    """Ask this host whether the topology can run on it."""
    from topo.compile import judge_host
    from topo.host import wanted
    from topo.run import runs_here
    from topo.timing import unwatched

    wrong = runs_here()
    if wrong is not None:
        return (wrong,)
    from topo.run.survey import survey

    with (watch or unwatched)("ask the host"):
        host = survey(wanted(compilation.graph))
    return judge_host(compilation, host, watch=watch or unwatched)


def report(diagnostics: Sequence[Diagnostic], color: str) -> None:
    """Say findings on standard error, for verbs whose data is something else."""
    from topo.render.findings_full import render

    if diagnostics:
        say(render(diagnostics, style_for(sys.stderr, color)))


# -- the program ------------------------------------------------------------------------------------------------------------------


def verbs() -> list[str]:
    """The verbs there are: the files of this folder."""
    return sorted(n[:-3] for n in os.listdir(os.path.dirname(__file__)) if n.endswith(".py") and not n.startswith("_"))


class Verbs(click.Group):
    """The verbs, each imported when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """What stands in the help."""
        return verbs()

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a verb, by its name or by another that it has."""
        if cmd_name in verbs():
            return _command(cmd_name)
        return next((_command(verb) for verb in verbs() if cmd_name in _aliases(verb)), None)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the arguments begin with, and the rest of them."""
        name = args[0]
        command = self.get_command(ctx, name)
        if command is not None:
            return command.name, command, args[1:]
        if name.startswith("-"):
            return super().resolve_command(ctx, args)
        raise click.UsageError(f"there is no verb `{name}`{_nearest(name)}", ctx)


MEANT = {
    "help": "--help",
    "run": "up",
    "start": "up",
    "stop": "down",
    "kill": "down",
    "list": "ls",
    "log": "logs",
    "reload": "apply",
    "lint": "check",
    "validate": "check",
    "draw": "graph",
    "diff": "plan",
    "format": "fmt",
    "version": "--version",
}
"""What other programs call what we have by another name."""


def _command(verb: str) -> click.Command:
    command: click.Command = import_module(f"topo.cli.{verb}").command
    if command.name != verb or HELP not in command.params:
        command.name = verb
        command.params.append(HELP)
    return command


def _aliases(verb: str) -> tuple[str, ...]:
    return getattr(import_module(f"topo.cli.{verb}"), "aliases", ())


def _hears_signals(verb: str | None) -> bool:
    return verb is not None and getattr(import_module(f"topo.cli.{verb}"), "hears_signals", False)


def _nearest(name: str) -> str:
    from difflib import get_close_matches

    if name.endswith(".ztopo") or os.path.isfile(name):
        return f": to start a file, write `ztopo up {name}`"
    names = [*verbs(), *(alias for verb in verbs() for alias in _aliases(verb))]
    near = MEANT.get(name) or next(iter(get_close_matches(name, names, n=1)), None)
    return f", did you mean `{near}`?" if near else ", there are " + ", ".join(f"`{verb}`" for verb in verbs())


def _help(context: click.Context, parameter: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        out(context.get_help() + "\n")
        context.exit()


HELP = click.Option(["-h", "--help"], is_flag=True, expose_value=False, is_eager=True, callback=_help, help="Show this and end.")
"""Instead of click's own, which knows nothing of a standard output that cannot be written."""


def _version(context: click.Context, parameter: click.Parameter, wanted: bool) -> None:
    if not wanted or context.resilient_parsing:
        return
    import zmq

    from topo import __version__
    from topo.devcore import core_name

    out(f"ztopo {__version__} (pyzmq {zmq.pyzmq_version()}, libzmq {zmq.zmq_version()}, core: {core_name()})\n")
    context.exit()


@click.group(
    cls=Verbs,
    name="ztopo",
    context_settings={"auto_envvar_prefix": "ZTOPO_CLI", "max_content_width": 100},
    params=[HELP],
    invoke_without_command=True,
    epilog="Every option can also come from the environment, as ZTOPO_CLI_<VERB>_<OPTION>.",
)
@click.option("--version", is_flag=True, expose_value=False, is_eager=True, callback=_version, help="Say which version this is.")
@click.pass_context
def ztopo(context: click.Context) -> Exit:
    """Check, draw and run ZeroMQ topologies written in .ztopo files."""
    if not _hears_signals(context.invoked_subcommand):
        let_through()
    if context.invoked_subcommand is None:
        say(context.get_help())
    return Exit.USAGE


def main() -> NoReturn:
    """Run the command, and end with what it ends with."""
    _prepare_streams()
    sys.exit(int(_run()))


def _run() -> int:
    try:
        return ztopo.main(prog_name="ztopo", standalone_mode=False) or Exit.DONE
    except click.exceptions.Abort:
        return Exit.FORCED
    except click.UsageError as error:
        if error.ctx is not None:
            say(f"{error.ctx.get_usage()}\nTry '{error.ctx.command_path} --help' for help.\n")
        say(f"error: {error.format_message()}")
        return Exit.USAGE
    except click.ClickException as error:
        say(f"error: {error.format_message()}")
        return Exit.USAGE
    except Exception as error:
        if isinstance(code := getattr(error, "exit_code", None), int):  # of one that says itself what it means for the program
            say(f"error: {error}")
            return code
        if isinstance(error, OSError) and error.errno in EXHAUSTED:
            say(f"error: {error.strerror}: ztopo has no descriptor, memory or space left to do it with; see `ulimit -a`")
            return Exit.USAGE
        import traceback

        say(
            f"{traceback.format_exc()}\nThis is a mistake in ztopo itself. Please report it, with what stands above and the file it was about."
        )
        return Exit.USAGE
