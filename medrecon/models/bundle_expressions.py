"""Which expressions of a bundle's configuration are known: read as syntax, never evaluated.

An expression is known if it is arithmetic on literals and references, an import of a module
that a run has anyway, or one of a few idioms of the model zoo that a run here does not need.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping

from medrecon.errors import ModelUntrustedError

REFERENCE = re.compile(r"@(?:::)?([A-Za-z_][A-Za-z0-9_]*(?:(?:#|::)[A-Za-z0-9_]+)*)")
# A macro is replaced by what stands under another key; other files are not read.
MACRO = re.compile(r"%(?:::)?([A-Za-z_][A-Za-z0-9_]*(?:(?:#|::)[A-Za-z0-9_]+)*)")
PLACEHOLDER = "REF_"
MAX_EXPRESSION_CHARS = 2000
ADVICE = (
    "medrecon runs nothing that comes with a model; write the value out in the configuration, "
    "or train and save the model with medrecon's own manifest"
)

# Modules whose import statement is harmless to ignore; a bundle's own scripts are not.
KNOWN_IMPORTS = frozenset(
    {"glob", "os", "json", "math", "numpy", "pandas", "pathlib", "torch", "monai", "scipy"}
)

# Names of MONAI's that stand for a text (monai.utils.CommonKeys).
CONSTANTS: Mapping[str, str] = {
    "monai.utils.CommonKeys.IMAGE": "image",
    "monai.utils.CommonKeys.LABEL": "label",
    "monai.utils.CommonKeys.PRED": "pred",
    "monai.utils.CommonKeys.LOSS": "loss",
}

# Expressions of the zoo's bundles that a run does not need: recognised by syntax tree,
# any reference for REF, any constant of the same type for a constant.
IDIOMS = (
    "torch.device('' if torch.cuda.is_available() else '')",
    "torch.device('')",
    "REF.to(REF)",
    "REF(REF)",
    "REF.run()",
    "list(sorted(glob.glob(REF + '')))",
    "sorted(glob.glob(REF + ''))",
    "glob.glob(REF + '')",
    "list(sorted(glob.glob(os.path.join(REF, REF))))",
    "list(sorted(glob.glob(os.path.join(REF, ''))))",
    "os.path.join(REF, REF)",
    "os.path.join(REF, '')",
    "not os.path.exists(REF)",
    "os.path.exists(REF)",
    "list(REF + pd.read_csv(REF + '').t2)",
    "[{'': i} for i in REF]",
    "[{REF: i} for i in REF]",
    "[{REF: i, REF: l} for i, l in zip(REF, REF)]",
    "lambda x: None",
    # Overlapping regions painted into one map, as the BraTS bundles do it: here each
    # region keeps its own surface.
    "lambda x: torch.where(x[[0]] > 0, 0, torch.where(x[[0]] > 0, 0, "
    "torch.where(x[[0]] > 0, 0, 0)))",
    "[{'': i, '': l} for i, l in zip(REF, REF)]",
    "monai.utils.set_determinism(seed=0)",
    "setattr(torch.backends.cudnn, '', True)",
    "monai.data.load_decathlon_datalist(REF, data_list_key='', base_dir=REF)",
    "monai.data.load_decathlon_datalist(REF, data_list_key='')",
    "numpy.float32",
    "np.float32",
    "numpy.uint8",
    "np.uint8",
    "torch.float32",
    "torch.uint8",
    "torch.int16",
    "np.int16",
    "numpy.int16",
)


def is_known(text: str, key: str) -> bool:
    """Whether an expression is one of those that may stand in a configuration.

    Raises
    ------
    ModelUntrustedError
        If it is no expression at all.
    """
    if _is_known_import(text[1:]):
        return True
    tree = parse(text, key)
    try:
        return _is_arithmetic(tree) or _shape(tree) in _IDIOM_SHAPES
    except RecursionError:
        return False


def _is_known_import(statement: str) -> bool:
    """``import glob`` and the like, of modules that a run would have anyway."""
    try:
        body = ast.parse(statement.strip()).body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return False
    return len(body) == 1 and (
        isinstance(body[0], ast.Import)
        and all(alias.name.split(".")[0] in KNOWN_IMPORTS for alias in body[0].names)
    )


ALLOWED_NODES = (
    ast.Constant,
    ast.List,
    ast.Tuple,
    ast.IfExp,
    ast.BinOp,
    ast.UnaryOp,
    ast.USub,
    ast.operator,
    ast.Load,
)


def _is_arithmetic(tree: ast.expr) -> bool:
    match tree:
        case ast.Attribute():
            return ast.unparse(tree) in CONSTANTS
        case ast.Call(func=ast.Name(id="len"), args=[part], keywords=[]):
            return _is_arithmetic(part)
    return all(
        isinstance(node, ALLOWED_NODES)
        or (isinstance(node, ast.Name) and node.id.startswith(PLACEHOLDER))
        for node in ast.walk(tree)
    )


def _shape(tree: ast.expr) -> str:
    """The tree with every reference and every constant of a type made equal."""
    copy = ast.parse(ast.unparse(tree), mode="eval").body
    for node in ast.walk(copy):
        if isinstance(node, ast.Name) and (node.id == "REF" or node.id.startswith(PLACEHOLDER)):
            node.id = "REF"
        elif isinstance(node, ast.Constant):
            node.value = type(node.value).__name__
    return ast.dump(copy)


_IDIOM_SHAPES = frozenset(_shape(ast.parse(text, mode="eval").body) for text in IDIOMS)


def parse(text: str, key: str) -> ast.expr:
    """The syntax tree of a ``$`` expression, references as names; statements are refused."""
    if len(text) > MAX_EXPRESSION_CHARS:
        raise refused(key, text[:80] + "…")
    counter = iter(range(len(text)))
    plain = REFERENCE.sub(lambda _: f"{PLACEHOLDER}{next(counter)}", text[1:].strip())
    try:
        return ast.parse(plain, mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise refused(key, text) from None


def refused(key: str, text: str) -> ModelUntrustedError:
    """The error that names an expression and what to do about it."""
    return ModelUntrustedError(f"the bundle's {key} holds {text!r}, which is a program; {ADVICE}")
