# SPDX-License-Identifier: Apache-2.0
"""What the scripts of this folder share: one kind of error, which ends a script with a line and a status as
depthlens gives them, and files that are there whole or not at all."""

import csv
import json
import os
import signal
import sys

USAGE, DATA, NO_INPUT, CANNOT_CREATE, IO = 64, 65, 66, 73, 74


class problem(Exception):
    """What is wrong, with which file, and what to do; `status` is the exit status."""

    def __init__(self, status, text):
        super().__init__(text)
        self.status = status


def run_script(name, main):
    """Calls main(arguments); a problem is one line on stderr."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    csv.field_size_limit(1 << 24)  # a prompt may be long
    try:
        main(sys.argv[1:])
    except problem as error:
        print(f"{name}: {error}", file=sys.stderr)
        sys.exit(error.status)


def read_text(file):
    try:
        with open(file, encoding="utf-8", newline="") as stream:
            return stream.read()
    except FileNotFoundError:
        raise problem(NO_INPUT, f"{file}: no such file") from None
    except UnicodeDecodeError as error:
        raise problem(DATA, f"{file}: not UTF-8 at byte {error.start}") from None
    except OSError as error:
        raise problem(IO, f"{file}: {error.strerror}") from None


def read_json(file, kind, name):
    """The value that a file holds, which is to be of that kind: "a list of rows", "an object"."""
    try:
        value = json.loads(read_text(file))
    except json.JSONDecodeError as error:
        raise problem(DATA, f"{file}:{error.lineno}: not JSON: {error.msg}") from None
    if not isinstance(value, kind):
        raise problem(DATA, f"{file}: expected {name}")
    return value


def write_text(file, text):
    """Writes a file beside its place and moves it there."""
    part = f"{file}.part.{os.getpid()}"
    try:
        with open(part, "w", encoding="utf-8", newline="") as stream:
            stream.write(text)
        os.replace(part, file)
    except OSError as error:
        if os.path.exists(part):
            os.unlink(part)
        raise problem(CANNOT_CREATE, f"{file}: {error.strerror}") from None
