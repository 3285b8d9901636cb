"""`python -m demo`: the main job on a real local control plane. `make demo` calls it."""

import argparse
import signal
import sys

from demo.display import Display, display
from demo.fleet import fleet_client
from demo.latency import NotSeen
from demo.site import running_site
from demo.story import NotReady, Story, what_to_try
from tests.controlplane.errors import ControlPlaneError
from tests.controlplane.tools import ensure_tools


def main() -> int:
    """Exit code 0 when all became ready, 1 with the reasons when not."""
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("--once", action="store_true", help="end when ready; the default where there is no terminal")
    stay = not parser.parse_args().once and sys.stdout.isatty()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # `kill` stops everything in order, as Ctrl-C does
    try:
        with display() as shown:
            _run(shown, stay)
    except (ControlPlaneError, NotReady, NotSeen) as error:
        print(f"the demo failed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped")
        return 0 if stay else 130
    return 0


def _run(shown: Display, stay: bool) -> None:
    with running_site(shown.say) as site, fleet_client(site.coordinator) as fleet:
        story = Story(site, fleet, shown)
        story.tell()
        if stay:
            shown.note(what_to_try(site, ensure_tools(["grpcurl"])["grpcurl"]))
            story.go_on()


if __name__ == "__main__":
    sys.exit(main())
