import subprocess
import sys
import unittest

from mdcheck import __version__


class PackageTest(unittest.TestCase):
    def test_the_package_runs_as_a_module_and_tells_its_version(self):
        done = subprocess.run([sys.executable, "-m", "mdcheck", "--version"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0)
        self.assertEqual(done.stdout.strip(), f"mdcheck {__version__}")

    def test_an_unknown_option_is_a_usage_error(self):
        done = subprocess.run([sys.executable, "-m", "mdcheck", "--no-such-option"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 2)


if __name__ == "__main__":
    unittest.main()
