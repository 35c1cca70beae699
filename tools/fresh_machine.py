"""Try the commands of ./dev on a fresh Debian 12, as a new user would.

    sudo python3 tools/fresh_machine.py ./dev quickstart -- ./dev quickstart -- ./dev test

Bootstraps Debian 12 with nothing but git and CA certificates into build/fresh, clones what is
committed here into it, and runs the commands in it one after the other, in its own mount and
process namespace, with the time of each. How the network is reached (certificates, proxies,
settings of apt, pip and Go) is taken from this machine when it runs. --keep goes on in the machine
of the run before. Run by hand: it takes as long as the commands do. tests/wheel makes a machine of
its own, on which there is Python and nothing of ours.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from steps import BUILD, ROOT, StepError, fail, run, step

FRESH = BUILD / "fresh"
HOME = "/root"
NETWORK = ("SSL_CERT_", "PIP_", "GOPROXY", "GOFLAGS", "GONOSUMDB", "http_", "https_", "no_")
NETWORK_UPPER = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


@dataclass(frozen=True)
class Machine:
    """A Debian 12 in a folder of build/fresh, copied from a base that is bootstrapped once."""

    name: str
    packages: tuple[str, ...]  # beside the smallest Debian there is

    @property
    def root(self) -> Path:
        """Return its root folder."""
        return FRESH / self.name

    def make(self) -> None:
        """Make it anew.

        Raises
        ------
        StepError
            This user or machine cannot bootstrap a Debian.
        """
        if os.geteuid() != 0 or shutil.which("debootstrap") is None:
            raise StepError("this needs root and the Debian package debootstrap.")
        base = self._base()
        with step(f"make a fresh machine: {self.name}"):
            shutil.rmtree(self.root, ignore_errors=True)
            subprocess.run(["cp", "-a", base, self.root], check=True)
            self._copy_network()

    def _base(self) -> Path:
        base = FRESH / f"{self.name}-base"
        if (base / "etc" / "debian_version").is_file() and not (base / "debootstrap").exists():
            return base
        shutil.rmtree(base, ignore_errors=True)
        FRESH.mkdir(parents=True, exist_ok=True)
        packages = f"--include={','.join(self.packages)}"
        run("bootstrap Debian 12", ["debootstrap", "--variant=minbase", packages, "bookworm", base])
        return base

    def _copy_network(self) -> None:
        """Give it this machine's way to the package registries."""
        etc = self.root / "etc"
        for name in ("resolv.conf", "hosts"):
            shutil.copyfile(f"/etc/{name}", etc / name)
        debian = Path("/etc/apt/sources.list.d/debian.sources")
        if debian.is_file():
            shutil.copyfile(debian, etc / "apt" / "sources.list.d" / debian.name)
            (etc / "apt" / "sources.list").write_text("")
        for setting in Path("/etc/apt/apt.conf.d").iterdir():
            if "Acquire::" in setting.read_text() and "docker" not in setting.name:
                shutil.copyfile(setting, etc / "apt" / "apt.conf.d" / setting.name)
        for certificate in Path("/usr/local/share/ca-certificates").glob("*.crt"):
            place = self.root / "usr/local/share/ca-certificates" / certificate.name
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(certificate, place)
        shutil.copyfile("/etc/ssl/certs/ca-certificates.crt", etc / "ssl/certs/ca-certificates.crt")

    def command(self, words: list[str], folder: str) -> list[str]:
        """Return the command that runs `words` in a folder of it, in namespaces of its own."""
        script = (
            'mount --rbind /dev "$0/dev" && mount -t proc proc "$0/proc" && '
            'mount -t tmpfs tmpfs "$0/tmp" && root="$0" folder="$1" && shift && '
            'exec chroot "$root" /bin/bash -c \'cd "$0" && exec "$@"\' "$folder" "$@"'
        )
        namespace = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]
        return [*namespace, "bash", "-c", script, str(self.root), folder, *words]


def environment() -> dict[str, str]:
    """Return the environment of a login on the machine, with this machine's network settings."""
    kept = {k: v for k, v in os.environ.items() if k.startswith(NETWORK) or k in NETWORK_UPPER}
    kept.pop("PIP_FIND_LINKS", None)
    system = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    return kept | {"PATH": system, "HOME": HOME, "LANG": "C.UTF-8", "TERM": "dumb"}


def commands(words: list[str]) -> list[list[str]]:
    """Split the command line at each `--`."""
    found: list[list[str]] = [[]]
    for word in words:
        if word == "--":
            found.append([])
        else:
            found[-1].append(word)
    return [command for command in found if command]


def main(words: list[str]) -> int:
    """Run the commands and print how long each took."""
    chosen = commands([word for word in words if word != "--keep"])
    if not chosen:
        print(__doc__)
        return 2
    machine, checkout = Machine("machine", ("git", "ca-certificates")), f"{HOME}/penstock"
    if "--keep" not in words or not machine.root.is_dir():
        machine.make()
        clone = ["git", "clone", "--quiet", "--no-hardlinks", ROOT, f"{machine.root}{checkout}"]
        subprocess.run(clone, check=True)
    times = []
    for command in chosen:
        begin = time.monotonic()
        inside = machine.command(command, checkout)
        code = subprocess.run(inside, env=environment(), check=False).returncode
        times.append(f"{' '.join(command)}: exit code {code}, {time.monotonic() - begin:.0f} s")
        print(f"\n{times[-1]}", flush=True)
        if code != 0:
            return fail(f"{' '.join(command)} failed on the fresh machine; --keep goes on in it.")
    print("\n" + "\n".join(times))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except StepError as error:
        sys.exit(fail(str(error)))
