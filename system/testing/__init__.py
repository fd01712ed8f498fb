"""Support for the tests of a site: the pytest plugin that `python kernkoa.py test` loads. See docs/testing.md."""
