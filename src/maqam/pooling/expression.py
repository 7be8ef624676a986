"""Conditions on the columns of a table: `seconds >= 0.3 and dialect in ("EG", "SA")`.

The grammar is the part of Python's own that `_check` lets through, read by `ast.parse` and never
evaluated; what is left becomes compute functions of Arrow. A comparison with a null is null, as in
SQL, and a NaN counts as null.
"""

import ast
import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as kinds

from maqam.errors import ConfigError
from maqam.settings_file import nearest

EXAMPLE = "seconds >= 0.3 and task == 'asr' and speaker is not null"
_DEEPEST = 100
_TOO_LARGE = 1 << 1000  # for a fraction
_NULLS = ("null", "None")
_TRUTHS = {"true": True, "false": False}
_COMPARED: dict[type[ast.cmpop], Callable[..., Any]] = {
    ast.Eq: pc.equal,
    ast.NotEq: pc.not_equal,
    ast.Lt: pc.less,
    ast.LtE: pc.less_equal,
    ast.Gt: pc.greater,
    ast.GtE: pc.greater_equal,
}
_LISTS = (ast.List, ast.Tuple, ast.Set)
_HELD = {"number": "numbers", "text": "text", "truth": "true or false"}


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition that rows of a table may meet.

    Attributes:
        text: As it was written.
        where: What it was written as, such as "--where", for errors.
        tree: Its syntax, checked.
    """

    text: str
    where: str
    tree: ast.expr

    def parts(self) -> tuple["Condition", ...]:
        """Return the conditions that it joins by `and`.

        Examples:
            >>> [one.text for one in read_condition("a > 1 and (b or not c)").parts()]
            ['a > 1', 'b or not c']
        """
        if not (isinstance(self.tree, ast.BoolOp) and isinstance(self.tree.op, ast.And)):
            return (self,)
        own = [Condition(ast.unparse(one), self.where, one) for one in self.tree.values]
        return tuple(part for one in own for part in one.parts())

    def mask(self, table: pa.Table) -> pa.ChunkedArray:
        """Return for each row whether it meets the condition; null where nulls leave it open.

        Raises:
            ConfigError: If there is no such column, or types do not fit.

        Examples:
            >>> table = pa.table({"wmer": [10, 50, None]})
            >>> read_condition("wmer <= 40").mask(table).to_pylist()
            [True, False, None]
        """
        return _Evaluation(self, table).truth(self.tree)


def read_condition(text: str, where: str = "condition") -> Condition:
    """Read a condition.

    Args:
        text: Comparisons (`==`, `!=`, `<`, `<=`, `>`, `>=`, `in`, `not in`, `is null`,
            `is not null`) of columns with numbers, quoted texts, `true` and `false`, joined by
            `and`, `or`, `not` and parentheses. `column("any name")` is a column whose name is not
            a word.
        where: What it was written as, for errors.

    Raises:
        ConfigError: If it is anything else.
    """
    try:
        with warnings.catch_warnings(action="ignore"):  # of strange escapes in texts
            tree = ast.parse(" ".join(text.strip().splitlines()), mode="eval").body
        condition = Condition(text.strip(), where, tree)
        _check(tree)
    except (SyntaxError, ValueError) as error:
        problem = str(getattr(error, "msg", error))
        raise _refused(where, text, "it is empty" if not text.strip() else problem) from error
    except (RecursionError, MemoryError) as error:
        raise _refused(where, text, "it is nested too deeply") from error
    return condition


def _refused(where: str, text: str, problem: str) -> ConfigError:
    shown = text if len(text) <= 80 else f"{text[:77]}..."
    return ConfigError(
        f"{shown!r} is no condition: {problem}",
        where=where,
        hint=f'write it as "{EXAMPLE}"; docs/data.md has all that there is',
    )


def _check(node: ast.expr, depth: int = 0) -> None:
    """Refuse whatever is no condition."""
    if depth > _DEEPEST:
        raise RecursionError
    match node:
        case ast.BoolOp(values=values):
            for one in values:
                _check(one, depth + 1)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            _check(operand, depth + 1)
        case ast.Compare(left=left, ops=ops, comparators=others):
            for side, op, other in zip((left, *others), ops, others, strict=False):
                _check_pair(side, op, other)
            if not any(_column(one) for one in (left, *others)):
                raise ValueError(f"{ast.unparse(node)} names no column")
        case _ if _column(node) is None:
            raise ValueError(f"{ast.unparse(node)} is neither a comparison nor a column")


def _check_pair(left: ast.expr, op: ast.cmpop, right: ast.expr) -> None:
    if isinstance(op, ast.Is | ast.IsNot):
        if _column(left) is None or not _is_null(right):
            raise ValueError("`is` asks whether a column is null: write `speaker is null`")
        return
    _check_operand(left)
    if isinstance(op, ast.In | ast.NotIn):
        for one in right.elts if isinstance(right, _LISTS) else [right]:
            _check_operand(one)
            if _column(one) is not None:
                raise ValueError(f"a list holds numbers or quoted texts, not {ast.unparse(one)}")
        return
    _check_operand(right)


def _check_operand(node: ast.expr) -> None:
    if _is_null(node):
        raise ValueError("nothing equals null: write `is null` or `is not null`")
    value = _literal(node)
    if _column(node) is None and value is None:
        raise ValueError(f"{ast.unparse(node)} is no column, number or quoted text")
    if isinstance(value, int) and abs(value) >= _TOO_LARGE:
        raise ValueError("a number in it is too large")
    if isinstance(value, str) and re.search("[\ud800-\udfff]", value):
        raise ValueError("a text in it holds half a character")


def _is_null(node: ast.expr) -> bool:
    is_none = isinstance(node, ast.Constant) and node.value is None
    return is_none or (isinstance(node, ast.Name) and node.id in _NULLS)


def _column(node: ast.expr) -> str | None:
    """Return the column that an expression names, None where it is none."""
    match node:
        case ast.Name(id=name) if name not in (*_NULLS, *_TRUTHS):
            return name
        case ast.Call(
            func=ast.Name(id="column"), args=[ast.Constant(value=str(name))], keywords=[]
        ):
            return name
    return None


def _literal(node: ast.expr) -> bool | float | str | None:
    """Return the value that an expression is, None where it is none."""
    match node:
        case ast.Name(id=name) if name in _TRUTHS:
            return _TRUTHS[name]
        case ast.Constant(value=bool() | int() | float() | str() as value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
            return -value
    return None


@dataclass(frozen=True, slots=True)
class _Evaluation:
    """One evaluation of a condition on a table."""

    condition: Condition
    table: pa.Table

    def truth(self, node: ast.expr) -> pa.ChunkedArray:
        match node:
            case ast.BoolOp(op=op, values=values):
                join = pc.and_kleene if isinstance(op, ast.And) else pc.or_kleene
                found = self.truth(values[0])
                for one in values[1:]:
                    found = join(found, self.truth(one))
                return found
            case ast.UnaryOp(operand=operand):
                return pc.invert(self.truth(operand))
            case ast.Compare(left=left, ops=ops, comparators=others):
                sides = [left, *others]
                found = self._pair(left, ops[0], others[0])
                for index in range(1, len(ops)):
                    pair = self._pair(sides[index], ops[index], sides[index + 1])
                    found = pc.and_kleene(found, pair)
                return found
        kind, values = self._value(node)
        if kind != "truth":
            raise self._misfit(
                f"column {ast.unparse(node)} holds {_HELD.get(kind, kind)}, which "
                "is no condition by itself"
            )
        return values

    def _pair(self, left: ast.expr, op: ast.cmpop, right: ast.expr) -> pa.ChunkedArray:
        if isinstance(op, ast.Is | ast.IsNot):
            is_null = self._named(left).is_null(nan_is_null=True)
            return is_null if isinstance(op, ast.Is) else pc.invert(is_null)
        if isinstance(op, ast.In | ast.NotIn):
            is_in = self._among(left, right.elts if isinstance(right, _LISTS) else [right])
            return is_in if isinstance(op, ast.In) else pc.invert(is_in)
        (kind, values), (other, others) = self._value(left), self._value(right)
        self._check_kinds((left, kind), (right, other))
        if kind == "truth" and not isinstance(op, ast.Eq | ast.NotEq):
            raise self._misfit(f"{ast.unparse(left)} is true or false, which has no order")
        if kind == "number":
            values, others = _alike(values, others)
        return _COMPARED[type(op)](values, others)

    def _among(self, left: ast.expr, members: Sequence[ast.expr]) -> pa.ChunkedArray:
        kind, values = self._value(left)
        for one in members:
            self._check_kinds((left, kind), (one, self._value(one)[0]))
        given = [self._value(one)[1] for one in members]
        if kind == "number":
            is_whole = all(kinds.is_integer(one.type) for one in (values, *given))
            values = pc.cast(values, pa.int64() if is_whole else pa.float64(), safe=False)
        listed = pa.array([pc.cast(one, values.type, safe=False).as_py() for one in given])
        listed = listed.cast(values.type)
        is_in = pc.is_in(values, value_set=listed)
        return pc.if_else(values.is_valid(), is_in, pa.scalar(None, pa.bool_()))

    def _check_kinds(self, left: tuple[ast.expr, str], right: tuple[ast.expr, str]) -> None:
        sides = (left, right)
        for node, kind in sides:
            if kind not in _HELD:
                raise self._misfit(
                    f"column {_column(node)} is {kind}, of which only `is null` can be asked"
                )
        if left[1] != right[1]:
            said = [
                f"column {_column(node)} holds {_HELD[kind]}"
                if _column(node)
                else f"{ast.unparse(node)} is {'a ' * (kind != 'truth')}{kind}"
                for node, kind in sides
            ]
            raise self._misfit(" and ".join(said))

    def _value(self, node: ast.expr) -> tuple[str, Any]:
        """Return what kind of value an operand has, and the value: a column or a scalar."""
        value = _literal(node)
        if value is None:
            return _known_kind(self._named(node))
        if isinstance(value, bool):
            return "truth", pa.scalar(value)
        if isinstance(value, str):
            return "text", pa.scalar(value)
        return "number", pa.scalar(float(value) if abs(value) >= 2**63 else value)

    def _named(self, node: ast.expr) -> pa.ChunkedArray:
        name = str(_column(node))
        known = self.table.column_names
        if name not in known:
            raise ConfigError(
                f"{self.condition.text!r}: there is no column {name!r}",
                where=self.condition.where,
                hint=nearest(name, known, is_listed=True),
            )
        return self.table.column(name)

    def _misfit(self, problem: str) -> ConfigError:
        return ConfigError(
            f"{self.condition.text!r}: {problem}",
            where=self.condition.where,
            hint="compare numbers with numbers, and text with text in quotes",
        )


def _alike(one: Any, other: Any) -> tuple[Any, Any]:  # noqa: ANN401  columns or scalars
    """Return numbers in one type: whole ones as they are, others as fractions."""
    if kinds.is_integer(one.type) and kinds.is_integer(other.type):
        return one, other
    return pc.cast(one, pa.float64(), safe=False), pc.cast(other, pa.float64(), safe=False)


def _known_kind(values: pa.ChunkedArray) -> tuple[str, pa.ChunkedArray]:
    """Return what a column holds, in the form that it is compared in."""
    if kinds.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    kind = values.type
    if kinds.is_string(kind) or kinds.is_large_string(kind) or kinds.is_string_view(kind):
        return "text", values.cast(pa.string())
    if kinds.is_boolean(kind):
        return "truth", values
    if kinds.is_decimal(kind) or kinds.is_uint64(kind) or kinds.is_floating(kind):
        values = values.cast(pa.float64(), safe=False)
        return "number", pc.if_else(pc.is_nan(values), pa.scalar(None, pa.float64()), values)
    return ("number" if kinds.is_integer(kind) else str(kind)), values
