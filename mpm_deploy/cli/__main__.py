"""``python -m mpm_deploy.cli`` is ``mpm-deploy``."""

import sys

from mpm_deploy.cli import main

sys.exit(main())
