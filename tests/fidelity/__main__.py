"""Write docs/fidelity.md, or say whether it is current."""

from __future__ import annotations

import sys

from tests.fidelity.page import PAGE, page


def main() -> int:
    text = page()
    if "--check" in sys.argv[1:]:
        same = PAGE.exists() and PAGE.read_text(encoding="utf-8") == text
        print(f"docs/fidelity.md is {'current' if same else 'old: run python -m tests.fidelity'}")
        return 0 if same else 1
    PAGE.write_text(text, encoding="utf-8")
    print(f"docs/fidelity.md: {len(text.splitlines())} lines")
    return 0


if __name__ == "__main__":
    sys.exit(main())
