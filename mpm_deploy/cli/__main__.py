"""Makes ``python -m mpm_deploy.cli`` do what ``mpm-deploy`` does."""

import sys

from mpm_deploy.cli import main

sys.exit(main())
