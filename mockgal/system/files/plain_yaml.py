"""YAML from untrusted files: mappings, lists, texts and numbers; nothing that expands or executes.

It is read from PyYAML's events in one pass. Aliases and anchors (a few lines of which can expand
beyond any memory), merge keys, tags, keys that are repeated or not text, and more than one document
are refused, as is more depth, values or text than mockgal's files have. Plain words that versions
of YAML read differently (``0777``, ``1:30``, ``yes``) are refused with what to write instead.
"""

from __future__ import annotations

import math
import re
from typing import Any, NamedTuple

from ...errors import shown

_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("null", "Null", "NULL", "~", ""), None),
}
_YES = re.compile("yes|on", re.IGNORECASE)
_NO = re.compile("no|off", re.IGNORECASE)
_LETTER = re.compile("[yYnN]")
_WHOLE = re.compile("[-+]?(?:0|[1-9][0-9]*)")
_HEX = re.compile("0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_SPECIAL = re.compile(r"([-+]?)\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
# Words that YAML 1.1 reads as numbers and dates, and YAML 1.2 as other numbers or as texts.
_LEADING_ZERO = re.compile("[-+]?0[0-9]+")
_BASE = re.compile("[-+]?0(?:o[0-7]+|b[01_]+|x[0-9a-fA-F_]+)")
_UNDERSCORES = re.compile(r"[-+]?(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?")
_SIXTIES = re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt \t].*)?")
_LONGEST_NUMBER = 40  # characters
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_OMAP = "tag:yaml.org,2002:omap"


class Dialect(NamedTuple):
    """Limits on the content of a kind of file.

    Parameters
    ----------
    depth : int
        Maximum nesting of lists and mappings.
    values : int
        Maximum number of keys and values in total.
    text : int
        Maximum number of characters of one text.
    by_pyyaml : bool
        Whether PyYAML wrote the file: it leaves texts such as ``1e9`` and ``y`` unquoted, writes
        numbers that are not finite, and may tag a mapping with ``!!omap``.
    """

    depth: int
    values: int
    text: int
    by_pyyaml: bool = False


class PlainYAMLError(ValueError):
    """Raised for a text that is not such YAML.

    Parameters
    ----------
    line : int
        Counted from 1.
    found, expected, fix : str
    """

    def __init__(self, line: int, found: str, expected: str, fix: str) -> None:
        self.line, self.found, self.expected, self.fix = line, found, expected, fix
        super().__init__(f"{found} in line {line}")


class _Open(NamedTuple):
    """A list or mapping that has not ended."""

    content: dict[str, Any] | list[Any]
    keys: list[str]  # in a mapping: the key whose value comes next
    is_omap: bool = False


def load(text: str, dialect: Dialect) -> Any:
    """Return the value of a YAML text: mappings, lists, texts, numbers, true, false and null.

    Parameters
    ----------
    text : str
        The caller must bound its length: the run time is proportional to it.
    dialect : Dialect

    Raises
    ------
    PlainYAMLError
        The text is not YAML, or holds anything else.
    """
    import yaml

    try:
        return _built(yaml.parse(text, Loader=yaml.SafeLoader), dialect)
    except PlainYAMLError:
        raise
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        found = f"the character U+{error.character:04X}"
        fix = "write it in double quotes as an escape, or leave it out"
        raise PlainYAMLError(line, found, "printable text", fix) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        reason = " ".join(f"{error.context or ''} {error.problem or ''}".split())
        raise _no_yaml(mark.line + 1 if mark else 1, reason) from error
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # such as invalid escapes
        raise _no_yaml(1, " ".join(str(error).split())) from error


def _no_yaml(line: int, reason: str) -> PlainYAMLError:
    fix = "put texts with special characters between quotes"
    if r"'\t'" in reason:
        fix = "replace tabs by blanks"
    return PlainYAMLError(
        line, f"text that is not plain YAML ({reason})", "lines `key: value`", fix
    )


def _built(events: Any, dialect: Dialect) -> Any:
    """Build the value from the events of the parser."""
    import yaml

    stack: list[_Open] = []
    root: list[Any] = []
    values = documents = 0
    for event in events:
        line = event.start_mark.line + 1
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1 or event.tags:
                raise PlainYAMLError(
                    line, "a second document" if documents > 1 else "a %TAG", "one", "remove it"
                )
        if isinstance(event, yaml.CollectionEndEvent):
            ended = stack.pop()
            _put(stack, root, _mapping_of(ended, line), line)
        if not isinstance(event, yaml.NodeEvent):
            continue
        is_omap = _check_node(event, line, dialect)
        values += 1
        if values > dialect.values:
            raise PlainYAMLError(
                line,
                f"more than {dialect.values:,} keys and values",
                "fewer",
                "remove those that are not needed",
            )
        if isinstance(event, yaml.ScalarEvent):
            _put(stack, root, _scalar(event, line, dialect), line)
            continue
        if len(stack) == dialect.depth:
            raise PlainYAMLError(
                line,
                f"lists or mappings more than {dialect.depth} deep",
                "fewer",
                "write it without nesting",
            )
        if stack and isinstance(stack[-1].content, dict) and not stack[-1].keys:
            raise PlainYAMLError(line, "a list or mapping as a key", "a text", "write a name")
        new: Any = {} if isinstance(event, yaml.MappingStartEvent) else []
        stack.append(_Open(new, [], is_omap))
    return root[0] if root else None


def _check_node(event: Any, line: int, dialect: Dialect) -> bool:
    """Return whether a node is an ordered mapping; raise for anchors, aliases and other tags."""
    import yaml

    if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
        found = f"the alias *{event.anchor}"
        if not isinstance(event, yaml.AliasEvent):
            found = f"the anchor &{event.anchor}"
        raise PlainYAMLError(
            line,
            shown(found)[1:-1],
            "YAML without anchors and aliases",
            "write the value itself at each place, or a text that begins so in quotes",
        )
    if event.tag is None:
        return False
    if dialect.by_pyyaml and event.tag == _OMAP and isinstance(event, yaml.SequenceStartEvent):
        return True
    raise PlainYAMLError(
        line,
        f"the tag {shown(event.tag)}",
        "YAML without tags",
        "leave it out, or put a text that begins with ! between quotes",
    )


def _put(stack: list[_Open], root: list[Any], value: Any, line: int) -> None:
    """Add a value to the innermost list or mapping, where keys and values alternate."""
    if not stack:
        root.append(value)
        return
    content, keys, _ = stack[-1]
    if isinstance(content, list):
        content.append(value)
    elif keys:
        content[keys.pop()] = value
    elif not isinstance(value, str):
        raise PlainYAMLError(
            line, f"the key {shown(value)}, which is not text", "a name", "put it between quotes"
        )
    elif value in content:
        raise PlainYAMLError(
            line, f"the key {shown(value)} more than once", "each once", "remove all but one"
        )
    else:
        keys.append(value)


def _mapping_of(ended: _Open, line: int) -> Any:
    """Return a complete list or mapping; an ordered mapping, written as a list, as a mapping."""
    if not ended.is_omap:
        return ended.content
    mapping: dict[str, Any] = {}
    for item in ended.content:
        if not isinstance(item, dict) or len(item) != 1 or next(iter(item)) in mapping:
            raise PlainYAMLError(
                line, "an !!omap that is not a list of distinct keys", "one", "write a mapping"
            )
        mapping |= item
    return mapping


def _scalar(event: Any, line: int, dialect: Dialect) -> Any:
    text = event.value
    if len(text) > dialect.text:
        raise PlainYAMLError(
            line, f"a text of {len(text):,} characters", f"at most {dialect.text:,}", "shorten it"
        )
    if bad := _UNPRINTABLE.search(text):
        raise PlainYAMLError(
            line, f"the character U+{ord(bad[0]):04X} in a text", "printable text", "leave it out"
        )
    if event.style is not None:  # in quotes, or a block
        return text
    value, write = meaning(text, dialect)
    if write:
        raise PlainYAMLError(line, shown(text), write, f"write one of these for {text[:60]}")
    return value


def meaning(text: str, dialect: Dialect) -> tuple[Any, str]:
    """Return the value of a plain word and, if it is ambiguous, what to write instead.

    The value is that of YAML 1.2's core schema, if YAML 1.1 agrees; but ``1e9`` is a number, as
    people read it. Words that PyYAML wrote are read as PyYAML reads them.
    """
    quoted = f'"{text[:60]}" for the text'
    if dialect.by_pyyaml and _is_text_to_pyyaml(text):
        return text, ""
    if text in _WORDS:
        return _WORDS[text], ""
    if _YES.fullmatch(text) or _NO.fullmatch(text):
        return None, f"{'true' if _YES.fullmatch(text) else 'false'}, or {quoted}"
    if _LETTER.fullmatch(text):
        return None, f"{'true' if text in 'yY' else 'false'}, or {quoted}"
    if special := _SPECIAL.fullmatch(text):
        if not dialect.by_pyyaml:
            return None, f"a finite number, or {quoted}"
        return float(f"{special[1] or ''}{'nan' if text[1].lower() == 'n' else 'inf'}"), ""
    if text in ("<<", "="):
        return None, quoted
    if _SIXTIES.fullmatch(text):
        return None, f"a number without colons, or {quoted}"
    if _DATE.fullmatch(text):
        return None, quoted
    return _number(text, quoted)


def _is_text_to_pyyaml(text: str) -> bool:
    """Return whether PyYAML reads a plain word as text, and so writes it without quotes."""
    import yaml

    resolvers = yaml.SafeLoader.yaml_implicit_resolvers.get(text[:1], ())
    return not any(pattern.match(text) for _, pattern in resolvers)


def _number(text: str, quoted: str) -> tuple[Any, str]:
    """Return the number that a word stands for, or the word itself if it is not a number.

    The second value says what to write instead if the word is ambiguous.
    """
    is_whole = _WHOLE.fullmatch(text) or _HEX.fullmatch(text)
    is_float = _FLOAT.fullmatch(text)
    if _LEADING_ZERO.fullmatch(text):
        sign = text[: text[0] in "+-"]
        return None, f"{sign}{text[len(sign) :].lstrip('0')[:60] or 0}, or {quoted}"
    if is_whole or is_float:
        if len(text) > _LONGEST_NUMBER:
            return None, f"a number of at most {_LONGEST_NUMBER} characters, or {quoted}"
        value: int | float = int(text, 0) if is_whole else float(text)
        if not math.isfinite(value):
            return None, f"a number below 1e308, or {quoted}"
        return value, ""
    if _BASE.fullmatch(text):
        return None, f"the number in decimal digits, or {quoted}"
    if "_" in text and _UNDERSCORES.fullmatch(text):
        return None, f"{text.replace('_', '')[:60]}, or {quoted}"
    return text, ""
