"""Lint the protos offline: an image made with the validation rules' descriptor, then ``buf``."""

import subprocess
import sys
from pathlib import Path

from deploy.protos import BUILD, ROOT, SOURCE, rules_descriptors

BUF = str(Path(sys.executable).parent / "buf")
_FOUND_SOMETHING = 100


def main() -> int:
    """Check names, comments and format; the rules' own file is not ours to lint."""
    from grpc_tools import protoc  # noqa: PLC0415 — slow to import

    BUILD.mkdir(exist_ok=True)
    rules, image = BUILD / "rules.binpb", BUILD / "image.binpb"
    rules.write_bytes(rules_descriptors().SerializeToString())
    names = [p.relative_to(SOURCE).as_posix() for p in sorted((SOURCE / "recourse").rglob("*.proto"))]
    flags = ["--include_imports", "--include_source_info", f"--descriptor_set_out={image}"]
    where = [f"--descriptor_set_in={rules}", f"--proto_path={SOURCE}"]
    if code := protoc.main(["protoc", *where, *flags, *names]):
        return int(code)
    config = ["--config", str(SOURCE / "buf.yaml")]
    linted = subprocess.run([BUF, "lint", str(image), *config], capture_output=True, text=True, check=False)
    if linted.returncode not in (0, _FOUND_SOMETHING):
        sys.stderr.write(linted.stderr)
        return linted.returncode
    ours = [line for line in linted.stdout.splitlines() if line.startswith("recourse/")]
    sys.stdout.writelines(f"{line}\n" for line in ours)
    formatted = subprocess.run([BUF, "format", "-d", "--exit-code", str(SOURCE)], cwd=ROOT, check=False)
    return int(bool(ours) or formatted.returncode != 0)


if __name__ == "__main__":
    sys.exit(main())
