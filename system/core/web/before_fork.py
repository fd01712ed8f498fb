"""Imported by uWSGI's master as the last module before it forks: see kernkoa_uwsgi.ini.

The collector writes into every object that it visits, so each worker would get its own copy of what the master
imported. What is frozen it does not visit.
"""

from __future__ import annotations

import gc

gc.collect()
gc.freeze()
