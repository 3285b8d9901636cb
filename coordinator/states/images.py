"""Image references: how repository, image, version and `spec.global` become the one string a container runs."""

import re
from collections.abc import Iterator
from typing import Final

from coordinator.policy import ImageSpec, InvalidSpec, NicClusterPolicySpec
from coordinator.policy.invalid import caught, refuse

DIGEST_PREFIX: Final = "sha256:"

_COMPONENT: Final = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_PATH: Final = rf"{_COMPONENT}(?:/{_COMPONENT})*"
# A first part without dot or colon is a folder of the default registry, as container runtimes read it.
_HOST: Final = (
    r"(?=[^/]*[.:]|localhost(?:/|$))(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:]+\])(?::[0-9]+)?"
)
_REPOSITORY: Final = re.compile(rf"(?:{_HOST}/)?{_PATH}|{_HOST}")
_IMAGE: Final = re.compile(_PATH)
_TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_REFERENCE: Final = re.compile(rf"(?P<name>(?:{_HOST}/)?{_PATH})(?::{_TAG.pattern})?(?:@{_DIGEST.pattern})?")
_LONGEST_NAME: Final = 255


def image_reference(field: str, image: ImageSpec, spec: NicClusterPolicySpec) -> str:
    """`repository/image:version`, or `repository/image@version` for a digest; `spec.global` fills what is empty.

    `field` is the path of the image's section, for messages. Raises InvalidSpec for a missing part, or one that no
    registry would accept; for all such parts together.
    """
    refuse(caught(lambda: image_name(field, image, spec), lambda: image_version(field, image, spec)))
    return reference(field, image_name(field, image, spec), image_version(field, image, spec))


def image_name(field: str, image: ImageSpec, spec: NicClusterPolicySpec) -> str:
    """`repository/image`, by the grammar of registries. Raises InvalidSpec."""
    repository = image.repository or (spec.global_ and spec.global_.repository)
    if not repository:
        raise _missing(field, "repository")
    own = f"{field}.repository" if image.repository else "spec.global.repository"
    refuse(_name_problems(own, repository, f"{field}.image", image.image))
    return f"{repository}/{image.image}"


def _name_problems(repository_field: str, repository: str, image_field: str, image: str) -> Iterator[InvalidSpec]:
    if _REPOSITORY.fullmatch(repository) is None or len(repository) > _LONGEST_NAME:
        yield InvalidSpec(
            repository_field,
            f"is {repository!r}, which no registry accepts as the start of an image's name",
            "write registry[:port]/path without scheme, tag, blanks or capital letters, as in nvcr.io/nvidia/mellanox",
        )
    elif _IMAGE.fullmatch(image) is None or len(f"{repository}/{image}") > _LONGEST_NAME:
        yield InvalidSpec(
            image_field,
            f"is {image!r}, which no registry accepts as the end of the name {f'{repository}/{image}'!r}",
            "use lower-case letters, digits, '.', '_' and '-' without a tag, and at most 255 characters in all",
        )


def image_version(field: str, image: ImageSpec, spec: NicClusterPolicySpec) -> str:
    """The tag or digest. Raises InvalidSpec when neither the component nor `spec.global` has one, or it is neither."""
    version = image.version or (spec.global_ and spec.global_.version)
    if not version:
        raise _missing(field, "version")
    _check_version(f"{field}.version" if image.version else "spec.global.version", version)
    return version


def reference(field: str, name: str, version: str) -> str:
    """Name and version joined; raises InvalidSpec for a version that is neither a tag nor a digest."""
    _check_version(f"{field}.version", version)
    return f"{name}@{version}" if version.startswith(DIGEST_PREFIX) else f"{name}:{version}"


def _check_version(field: str, version: str) -> None:
    if version.startswith(DIGEST_PREFIX):
        if _DIGEST.fullmatch(version) is None:
            raise InvalidSpec(
                field,
                f"is {version!r}, which is no digest",
                "write sha256: and 64 hexadecimal digits in lower case",
            )
    elif _TAG.fullmatch(version) is None:
        raise InvalidSpec(
            field,
            f"gives the tag {version!r}, which no registry accepts",
            "use at most 128 letters, digits, '.', '_' and '-', not starting with '.' or '-'",
        )


def _missing(field: str, part: str) -> InvalidSpec:
    # A NicNodePolicy has no spec.global.
    return InvalidSpec(
        f"{field}.{part}", "is missing", f"set it, or, in a NicClusterPolicy, spec.global.{part} for all components"
    )


def is_reference(text: str) -> bool:
    """Whether a container runtime takes the text for an image."""
    match = _REFERENCE.fullmatch(text)
    return match is not None and len(match["name"]) <= _LONGEST_NAME


def pull_secrets(image: ImageSpec, spec: NicClusterPolicySpec) -> list[dict[str, str]]:
    """The pod's `imagePullSecrets`, in order and each once."""
    own = image.image_pull_secrets or (spec.global_ and spec.global_.image_pull_secrets) or ()
    return [{"name": name} for name in dict.fromkeys(own)]


def own_versions(field: str, spec: NicClusterPolicySpec) -> tuple[str, ...]:
    """Images of a section whose version is not that of `spec.global`, each as "path is version"."""
    if spec.global_ is None or not spec.global_.version:
        return ()
    section: object = {"spec": spec.model_dump(by_alias=True, exclude_none=True)}
    for part in field.split("."):
        section = section.get(part) if isinstance(section, dict) else None
    found = _versions(field, section)
    return tuple(f"{path} is {version}" for path, version in found if version != spec.global_.version)


def _versions(path: str, section: object) -> Iterator[tuple[str, str]]:
    if isinstance(section, dict):
        if "image" in section and section.get("version"):
            yield f"{path}.version", section["version"]
        for name, part in section.items():
            yield from _versions(f"{path}.{name}", part)
