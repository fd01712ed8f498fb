"""Tests of one's own site: the pytest plugin that `python kernkoa.py test` loads. See docs/testing.md."""
