"""Run the Python fences of docs/tutorials and write what each prints into the fence of text that follows it."""

from __future__ import annotations

import contextlib
import io
import os
import re
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
FENCE = re.compile(r"```python\n(?P<code>.*?)```\n(?P<text>\n```text\n.*?```\n)?", flags=re.S)


def written(text: str) -> str:
    """`text`, in which every fence of text says what the fence before it prints."""
    namespace: dict[str, Any] = {}

    def run(fence: re.Match[str]) -> str:
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(fence["code"], namespace)
        shown = f"\n```text\n{printed.getvalue()}```\n" if fence["text"] else ""
        return f"```python\n{fence['code']}```\n{shown}"

    return FENCE.sub(run, text)


def main() -> None:
    for page in sorted((ROOT / "docs/tutorials").glob("*.md")):
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "examples").symlink_to(ROOT / "examples")
            os.chdir(folder)
            page.write_text(written(page.read_text(encoding="utf-8")), encoding="utf-8")
            os.chdir(ROOT)
        print(page.relative_to(ROOT))


if __name__ == "__main__":
    main()
