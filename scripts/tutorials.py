"""Run the Python fences of docs/tutorials and write what each prints into the fence of text that follows it."""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]


def written(text: str) -> str:
    """`text`, in which every fence of text right after a fence of Python says what that prints."""
    parts, namespace = text.split("```"), {}  # prose and fences by turns
    for k in range(1, len(parts), 2):
        language, _, code = parts[k].partition("\n")
        if language != "python":
            continue
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(code, namespace)
        if parts[k + 1] == "\n\n" and parts[k + 2].startswith("text\n"):
            parts[k + 2] = f"text\n{printed.getvalue()}"
    return "```".join(parts)


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
