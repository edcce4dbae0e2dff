"""`python -m kubenet_course` is `kubenet-course`."""

import sys

from kubenet_course.cli import main

if __name__ == "__main__":
    sys.exit(main())
