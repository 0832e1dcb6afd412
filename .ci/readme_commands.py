"""Print the set-up commands of a Markdown file, each ended by a zero byte.

A set-up command is a fenced block whose info string is `sh setup`.
"""

import re
import sys
from pathlib import Path

BLOCK = re.compile(r"^```sh setup\n(.*?)^```$", re.MULTILINE | re.DOTALL)

for command in BLOCK.findall(Path(sys.argv[1]).read_text("utf-8")):
    sys.stdout.write(command.strip() + "\0")
