"""A wall clock that a test moves while the server runs."""

import os
import struct
import subprocess

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "moved_clock.c")


class MovedClock:
    def __init__(self, folder):
        library = folder / "moved_clock.so"
        subprocess.run(["gcc", "-O1", "-Wall", "-Werror", "-shared", "-fPIC", "-o", str(library), SOURCE], check=True)
        self.file = folder / "moved_clock"
        self.move(0)
        # In `environment` of a server; libfaketime would move the environment itself, where Swift looks for arguments.
        self.environment = {"LD_PRELOAD": str(library), "TEST_CLOCK": str(self.file)}

    def move(self, seconds):
        """So far ahead of the real one."""
        with open(self.file, "r+b" if self.file.exists() else "wb") as file:
            file.write(struct.pack("=q", seconds))
