"""Read ``variant.yml``, where Segmenter's training describes a network, without running it."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, TypeVar

from mpm_deploy.errors import MissingPackageError, ModelError
from mpm_deploy.support.documents import read_document
from mpm_deploy.support.quoting import shortened, shown
from mpm_deploy.support.refusal import refusal
from mpm_deploy.support.schema import StructureError, read_structure
from mpm_deploy.support.strict_json import DEEPEST, TOO_DEEP

T = TypeVar("T")

_LARGEST = 1 << 16  # bytes; those of trainings have two thousand
_SHARES = "policy_net"
_TUPLE_TAG = "tag:yaml.org,2002:python/tuple"


@dataclass(frozen=True)
class Decoder:
    """The head of a network, given by its name."""

    name: str


@dataclass(frozen=True)
class NetKwargs:
    """Holds what ``net_kwargs`` says of a network, under the names it has there.

    Args:
        backbone: timm's name of the encoder.
        image_size: ``(height, width)`` in pixels it was trained at.
        patch_size: Side of a patch in pixels.
        d_model: Width of a token.
        n_heads: Attention heads of a block.
        n_layers: Blocks of the encoder.
        normalization: ``"vit"`` is 0.5, ``"deit"`` is ImageNet's mean and deviation.
        n_cls: Number of classes.
        decoder: The head.
        distilled: Whether a distillation token follows the class token.
        policy_method: ``"policy_net"`` where CTS shares tokens; None in what Segmenter writes.
        policy_schedule: Tokens of an image that are one patch, and those that are shared by four;
            None where nothing is shared.
    """

    backbone: str
    image_size: tuple[int, int]
    patch_size: int
    d_model: int
    n_heads: int
    n_layers: int
    normalization: Literal["vit", "deit"]
    n_cls: int
    decoder: Decoder
    distilled: bool = False  # configurations of larger ViTs leave it out
    policy_method: Literal["policy_net", "no_sharing"] | None = None
    policy_schedule: tuple[int, int] | None = None

    @property
    def shared(self) -> int | None:
        """The number of superpatches that become one token each; None where nothing is shared."""
        return None if self.policy_schedule is None else self.policy_schedule[1]


def read_variant(path: Path) -> NetKwargs:
    """Read the network of a ``variant.yml``; what else it says does not matter here.

    Raises:
        ModelError: A file that is missing or no YAML, asks to make Python objects, or lacks a key.
        MissingPackageError: PyYAML is not installed.
    """
    variant = _load(path)
    net = variant.get("net_kwargs") if isinstance(variant, Mapping) else None
    decoder = net.get("decoder") if isinstance(net, Mapping) else None
    if not isinstance(net, Mapping) or not isinstance(decoder, Mapping):
        raise _foreign(path, "net_kwargs: expected a table with a decoder, got another YAML")
    known = _known_keys(NetKwargs, net) | {"decoder": _known_keys(Decoder, decoder)}
    if known.get("policy_method") != _SHARES:
        known.pop("policy_schedule", None)  # which is there all the same, and of nothing
    try:
        return _checked(path, read_structure(NetKwargs, known, "net_kwargs"))
    except StructureError as error:
        allowed = f"; known are {', '.join(error.allowed)}" if error.allowed else ""
        raise _foreign(path, f"{error}{allowed}") from error


def _checked(path: Path, net: NetKwargs) -> NetKwargs:
    sides = (*net.image_size, net.patch_size, net.n_cls)
    if min(sides) < 1 or any(side % net.patch_size for side in net.image_size):
        height, width = net.image_size
        raise _foreign(
            path,
            f"net_kwargs: expected an image_size that is a multiple of patch_size {net.patch_size} "
            f"and a class or more, got {height} x {width} and {net.n_cls} classes",
        )
    if net.policy_method == _SHARES:
        _check_schedule(path, net)
    return net


def _check_schedule(path: Path, net: NetKwargs) -> None:
    """Refuse a number of tokens that does not cover the patches of an image."""
    height, width = (side // net.patch_size for side in net.image_size)
    schedule = net.policy_schedule
    fits = schedule is not None and schedule[0] + 4 * schedule[1] == height * width
    if schedule is None or not fits or min(schedule[0], schedule[1] - 1) < 0:
        raise _foreign(
            path,
            "net_kwargs.policy_schedule: expected tokens of one patch and of four that make up "
            f"{height} x {width} patches, got {shown(schedule)}",
        )


def _known_keys(kind: type[T], values: Mapping[Any, Any]) -> dict[str, Any]:
    return {
        field.name: values[field.name]
        for field in fields(kind)  # type: ignore[arg-type]
        if field.name in values
    }


def _load(path: Path) -> Any:
    yaml = _yaml()
    try:
        return yaml.load(read_document(path, _LARGEST), Loader=_loader(yaml))
    except OSError as error:
        cure = "copy the variant.yml that was written beside the checkpoint to the same folder"
        raise refusal(ModelError, f"{path}: cannot be read", error, cure) from error
    except yaml.constructor.ConstructorError as error:
        raise _foreign(path, f"{shortened(error.problem)}; nothing in it was run") from error
    except yaml.YAMLError as error:
        raise _foreign(path, f"expected YAML: {shortened(' '.join(str(error).split()))}") from error
    except Exception as error:  # its constructors let through whatever a value makes of them
        said = shortened(f"{type(error).__name__}: {error}")
        raise _foreign(path, f"expected YAML: {said}") from error


def _loader(yaml: Any) -> Any:
    """Return PyYAML's safe loader with one tag added, for a list that was a tuple.

    It has no merging of tables (``<<``), by which a few lines become a table of gigabytes, and
    goes no deeper than other documents: each character takes PyYAML a time that grows with depth.
    """

    class VariantLoader(yaml.SafeLoader):  # type: ignore[misc]
        def flatten_mapping(self, node: Any) -> None:
            pass

        def fetch_flow_collection_start(self, token: Any) -> None:
            if self.flow_level == DEEPEST:
                raise ValueError(TOO_DEEP)
            super().fetch_flow_collection_start(token)

    def tuple_of(loader: Any, node: Any) -> tuple[Any, ...]:
        return tuple(loader.construct_sequence(node))

    VariantLoader.add_constructor(_TUPLE_TAG, tuple_of)
    return VariantLoader


def _foreign(path: Path, problem: str) -> ModelError:
    hint = "use the variant.yml that the training wrote beside this checkpoint"
    return ModelError(f"{path}: {problem}", hint)


def _yaml() -> Any:
    try:
        import yaml
    except ImportError as error:
        raise MissingPackageError(
            "reading a Segmenter checkpoint needs PyYAML", "pip install 'mpm-deploy[build]'"
        ) from error
    return yaml
