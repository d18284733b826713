"""Runs once more, one at a time, what failed beside other tests: tells a fault from a machine that was too busy.

What fails again is a fault. What passes now is named all the same, for it waits for the wrong thing: mend it.
"""

import json
import subprocess
import sys
from pathlib import Path

FAILED = Path(".pytest_cache/v/cache/lastfailed")
MOST = 6
"""More than so many failures are no chance."""


def main() -> int:
    failed = sorted(json.loads(FAILED.read_text())) if FAILED.exists() else []
    if not failed or len(failed) > MOST:
        sys.stdout.write(f"{len(failed)} tests failed: none of them is tried again.\n")
        return 1
    sys.stdout.write(f"\nTried again alone: {len(failed)} that failed beside others.\n")
    sys.stdout.flush()
    again = subprocess.run([sys.executable, "-m", "pytest", "-p", "no:randomly", "-q", *failed], check=False)
    if again.returncode == 0:
        sys.stdout.write("".join(f"UNSTEADY {name}: failed beside others, passed alone. Mend it.\n" for name in failed))
    return again.returncode


if __name__ == "__main__":
    sys.exit(main())
