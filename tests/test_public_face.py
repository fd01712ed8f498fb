"""The names that `from kernkoa import *` brings: the contract with every controller."""

from __future__ import annotations

import kernkoa
from tests import shipped

PROMISED = """
    config load dbs exeTask app celery allow expose limit background retry queue every cron Params Task
    request session g redirect url_for abort render_template stream_template flash send_file send_from_directory jsonify make_response
    Response current_app
    datetime timedelta json os sys time
""".split()


def test_the_star_import_brings_what_is_promised_and_nothing_else() -> None:
    assert sorted(kernkoa.__all__) == sorted(PROMISED)


def test_the_list_of_shipped_files_is_that_of_this_clone() -> None:
    shipped.needs_shipped_site()
    assert shipped.site_of(shipped.CLONE) == shipped.manifest(), "run: python tests/shipped.py --write"


def test_every_promised_name_is_there() -> None:
    assert not [name for name in kernkoa.__all__ if not hasattr(kernkoa, name)]


def test_the_face_and_the_runtime_share_one_app() -> None:
    from system.core import runtime

    assert kernkoa.app is runtime.app
    assert kernkoa.config is runtime.settings
