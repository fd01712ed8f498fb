"""The faults of a template: its syntax, templates and URLs that do not exist, blocks that are never shown."""

from __future__ import annotations

from collections.abc import Iterator

from jinja2 import TemplateError, TemplateNotFound, TemplateSyntaxError, meta, nodes

from ..web.application import KernKoa
from .check_sources import Fault, has_template, has_url, template_source


def check_template(app: KernKoa, name: str) -> Iterator[Fault]:
    """Line and description of each fault."""
    environment = app.jinja_env
    try:
        source = template_source(app, name)
        tree = environment.parse(source, name)
        environment.compile(tree, name)
    except UnicodeDecodeError:
        return  # a binary file in the template folder
    except TemplateSyntaxError as error:
        yield error.lineno, f"{type(error).__name__}: {error.message}"
        return
    except TemplateError as error:
        yield 0, f"{type(error).__name__}: {error}"
        return
    for needed in meta.find_referenced_templates(tree):
        if needed is not None and not has_template(app, needed):
            line = next((number for number, text in enumerate(source.splitlines(), 1) if needed in text), 0)
            yield line, f"there is no template {needed}"
    tree = environment.parse(source, name)  # compiling changed the first tree
    yield from _lost_blocks(app, tree)
    yield from _lost_urls(app, tree)


def _lost_urls(app: KernKoa, tree: nodes.Template) -> Iterator[Fault]:
    for call in tree.find_all(nodes.Call):
        is_url = isinstance(call.node, nodes.Name) and call.node.name == "url_for"
        name = call.args[0].value if is_url and call.args and isinstance(call.args[0], nodes.Const) else None
        if isinstance(name, str) and not has_url(app, name):
            yield call.lineno, f"url_for finds no method {name}"


def _lost_blocks(app: KernKoa, tree: nodes.Template) -> Iterator[Fault]:
    """The blocks at the top of a template that none of the templates that it extends has."""
    known = _inherited_blocks(app, tree, ())
    if known is None:
        return
    for block in tree.body:
        if isinstance(block, nodes.Block) and block.name not in known:
            yield block.lineno, f"the block {block.name} is never shown: no template that this one extends has it"


def _inherited_blocks(app: KernKoa, tree: nodes.Template, seen: tuple[str, ...]) -> set[str] | None:
    """The blocks of all templates that a template extends; None if it extends none, or one that is not known."""
    extends = tree.find(nodes.Extends)
    if extends is None or not isinstance(extends.template, nodes.Const) or extends.template.value in seen:
        return None
    name = str(extends.template.value)
    try:
        parent = app.jinja_env.parse(template_source(app, name), name)
    except (TemplateNotFound, TemplateSyntaxError, UnicodeDecodeError):
        return None
    own = {block.name for block in parent.find_all(nodes.Block)}
    if parent.find(nodes.Extends) is None:
        return own
    above = _inherited_blocks(app, parent, (*seen, name))
    return None if above is None else own | above
