"""Generate the Python code of ``proto/recourse`` into ``proto/gen`` (``python -m deploy.protos``).

The validation rules' own ``.proto`` is in no package; its descriptor is, inside protovalidate.
"""

import hashlib
import shutil
import sys
from importlib.metadata import version
from pathlib import Path

from google.protobuf import descriptor_pb2, duration_pb2, field_mask_pb2, timestamp_pb2
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "proto"
TARGET = ROOT / "proto" / "gen"
BUILD = ROOT / ".build"
VALIDATE = "buf/validate/validate.proto"


def rules_descriptors() -> FileDescriptorSet:
    """Return the validation rules' descriptor and what it imports."""
    from protovalidate._gen.buf.validate import validate_pb  # noqa: PLC0415

    rules = FileDescriptorProto.FromString(validate_pb.FieldRules.desc().file.proto.to_binary())
    well_known = (descriptor_pb2, duration_pb2, field_mask_pb2, timestamp_pb2)
    files = [FileDescriptorProto.FromString(m.DESCRIPTOR.serialized_pb) for m in well_known]
    return FileDescriptorSet(file=[*files, rules])


def fingerprint(sources: list[Path]) -> str:
    digest = hashlib.sha256(version("grpcio-tools").encode() + Path(__file__).read_bytes())
    for source in sources:
        digest.update(source.relative_to(SOURCE).as_posix().encode() + source.read_bytes())
    return digest.hexdigest()


def generate(sources: list[Path], target: Path) -> int:
    """Write the code of ``sources`` and of the validation rules into ``target``; return protoc's status."""
    from grpc_tools import protoc  # noqa: PLC0415 — slow to import, needed only when something changed

    rules = BUILD / "rules.binpb"
    rules.write_bytes(rules_descriptors().SerializeToString())
    tools = Path(sys.executable).parent
    plugins = [f"--plugin={tools / name}" for name in ("protoc-gen-mypy", "protoc-gen-mypy_grpc")]
    common = ["protoc", *plugins, f"--descriptor_set_in={rules}", f"--proto_path={SOURCE}"]
    messages = [f"--python_out={target}", f"--mypy_out=quiet:{target}"]
    services = [f"--grpc_python_out={target}", f"--mypy_grpc_out=quiet:{target}"]
    names = [source.relative_to(SOURCE).as_posix() for source in sources]
    if code := protoc.main([*common, *messages, VALIDATE]):
        return int(code)
    if code := protoc.main([*common, *messages, *services, *names]):
        return int(code)
    for folder in [path for path in target.rglob("*") if path.is_dir()]:
        (folder / "__init__.py").touch()
    return 0


def main() -> int:
    """Generate everything anew if a source, or the generator, has changed."""
    sources = sorted((SOURCE / "recourse").rglob("*.proto"))
    stamp = TARGET / ".stamp"
    wanted = fingerprint(sources)
    if stamp.exists() and stamp.read_text() == wanted:
        return 0
    fresh = BUILD / "gen"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    if code := generate(sources, fresh):
        return code
    (fresh / ".stamp").write_text(wanted)
    # Swapped in whole, for whoever imports meanwhile.
    stale = BUILD / "gen-stale"
    shutil.rmtree(stale, ignore_errors=True)
    if TARGET.exists():
        TARGET.rename(stale)
    fresh.rename(TARGET)
    return 0


if __name__ == "__main__":
    sys.exit(main())
