"""The `facet` command: finds the subcommands of every room and wires nothing itself."""

from __future__ import annotations

import sys
from importlib import import_module

import click

from conf.errors import StartError

_ROOMS = ("up", "edge", "origin", "doctor")


class _Facet(click.Group):
    """Loads only the rooms that the command line needs: `facet edge …` never imports the origin."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        self._load(*_ROOMS)
        return super().list_commands(ctx)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        self._load(*((cmd_name,) if cmd_name in _ROOMS else _ROOMS))
        return super().get_command(ctx, cmd_name)

    def _load(self, *rooms: str) -> None:
        for room in rooms:
            for command in import_module(f"{room}.commands").COMMANDS:
                self.add_command(command)


@click.group(cls=_Facet, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="facet-edge", prog_name="facet")
def cli() -> None:
    """A media CDN edge with image variants on the fly, in front of an encrypted, deduplicating S3 origin.

    Start everything on this machine with `facet up`; make a key for an application with `facet key add`.
    """


def main() -> None:
    """Run the command; a start that cannot go on is one line on stderr and exit status 2."""
    try:
        cli.main(prog_name="facet")
    except StartError as error:
        click.echo(f"facet: {error}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
