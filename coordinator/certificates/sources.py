"""Where the certificate comes from: made here and kept in a Secret, or from a folder that somebody else renews."""

import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from coordinator.certificates.folder import CertificateFolder, CertificateUnusable
from coordinator.certificates.issue import Pair, facts
from coordinator.certificates.material import Material
from coordinator.certificates.renewal import Situation, renewed
from coordinator.certificates.settings import TlsSettings
from coordinator.certificates.store import Kept, ObjectMissing, Publication, Published, Store
from coordinator.kube.client import Kube
from coordinator.kube.errors import Conflict, KubeError

log = logging.getLogger(__name__)

TROUBLES: Final = (KubeError, ObjectMissing, CertificateUnusable)
"""What a look at a source raises."""

_ATTEMPTS: Final = 5
"""Other coordinators write too; each of them only what is due, so that few attempts are enough."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What agents and viewers are shown, and the authorities that vouch for it."""

    pair: Pair
    authorities: bytes
    trouble: str = ""
    """Why what is due was not done; the pair is of use nevertheless."""


class Source(Protocol):
    """Looked at now and then."""

    async def look(self) -> Shown:
        """Do what is due and tell what is to be shown. Raises one of `TROUBLES`."""


def source_of(kube: Kube, namespace: str, settings: TlsSettings, clock: Callable[[], datetime]) -> Source:
    """As it is set. `kube` must write also while this coordinator does not lead: agents connect to any of them."""
    publication = Publication(kube, namespace, settings.config_map)
    if settings.folder is not None:
        return Given(CertificateFolder(settings.folder, "the coordinator", "--tls-cert-dir"), publication)
    return Own(Store(kube, namespace, settings.secret), publication, names_of(settings.service, namespace), clock)


def names_of(service: str, namespace: str) -> frozenset[str]:
    """By which the coordinator is reached: through its Service, or `kubectl port-forward`."""
    host = f"{service}.{namespace}"
    return frozenset({service, host, f"{host}.svc", f"{host}.svc.cluster.local", "localhost", "127.0.0.1"})


class Own:
    """Our own authority. Whoever of several coordinators finds something due does it."""

    def __init__(
        self, store: Store, publication: Publication, names: frozenset[str], clock: Callable[[], datetime]
    ) -> None:
        """`names` are host names and addresses by which the coordinator is reached."""
        self._store = store
        self._publication = publication
        self._names = names
        self._clock = clock

    async def look(self) -> Shown:
        """Renew what is due."""
        return await _until_nobody_is_quicker(self._look)

    async def _look(self) -> Shown:
        # What is published is read first: another coordinator keeps what it makes, and publishes it then. So what is
        # kept is never older than what was published, or publishing is a Conflict.
        published, trouble = await _published_now(self._publication)
        kept = await self._store.read()
        if published is None:
            return _shown(kept.material, trouble)
        wanted = renewed(kept.material, Situation(self._clock(), self._names, published.authorities))
        try:
            if wanted != kept.material:
                await self._store.keep(wanted, kept)
                _tell(kept, wanted)
        except Conflict:
            raise
        except KubeError as error:
            return _shown(kept.material, error)
        return await _published(self._publication, published, _shown(wanted))


class Given:
    """A folder that somebody else renews. Its authority is published for agents, as they have no key of ours."""

    def __init__(self, folder: CertificateFolder, publication: Publication) -> None:
        self._folder = folder
        self._publication = publication

    async def look(self) -> Shown:
        """Read the files."""
        return await _until_nobody_is_quicker(self._look)

    async def _look(self) -> Shown:
        published, trouble = await _published_now(self._publication)
        shown = Shown(self._folder.pair(), self._folder.authorities(), str(trouble or ""))
        return shown if published is None else await _published(self._publication, published, shown)


async def _until_nobody_is_quicker(look: Callable[[], Awaitable[Shown]]) -> Shown:
    """Another coordinator that has written in between is no trouble: what it wrote is looked at anew."""
    for _ in range(_ATTEMPTS - 1):
        with suppress(Conflict):
            return await look()
    return await look()


async def _published_now(publication: Publication) -> tuple[Published | None, Exception | None]:
    """What is published, or why that is not known."""
    try:
        return await publication.read(), None
    except (KubeError, ObjectMissing) as error:
        return None, error


async def _published(publication: Publication, published: Published, shown: Shown) -> Shown:
    try:
        await publication.publish(shown.authorities, published)
    except Conflict:
        raise
    except KubeError as error:
        return Shown(shown.pair, shown.authorities, str(error))
    return shown


def _shown(material: Material, error: Exception | None = None) -> Shown:
    """Raises the error when there is nothing to show."""
    if material.server is None:
        assert error is not None
        raise error
    return Shown(material.server, material.bundle, str(error) if error else "")


def _tell(kept: Kept, made: Material) -> None:
    for why in kept.unusable:
        log.warning("certificate not usable", extra={"why": why})
    before = kept.material
    for name, old, new in (
        ("authority", before.authority, made.authority),
        ("next authority", before.coming, made.coming),
        ("server certificate", before.server, made.server),
    ):
        if new is not None and new != old:
            log.info("certificate made", extra={"what": name, "expires": facts(new.certificate).expires.isoformat()})
