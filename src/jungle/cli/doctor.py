"""``jungle doctor``."""

import dataclasses
import os
from pathlib import Path

import click

from ..diagnostics.doctor import check_machine, to_text
from .options import CommonOptions, common_options, print_result


@click.command("doctor")
@common_options
def doctor_command(common: CommonOptions) -> None:
    """Device, memory, disk, libraries and tokens, before anything is downloaded."""
    results = check_machine(Path(), common.device, os.environ, Path.home())
    findings = [dataclasses.asdict(result) for result in results]
    print_result(common.as_json, to_text(results), findings=findings)
