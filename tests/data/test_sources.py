"""Sources of photos: folders, zips that mean harm, and the real download libraries against services
on this machine.
"""

import hashlib
import io
import json
import struct
import sys
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from jungle.data.folders import scan_folder
from jungle.data.sources import resolve
from jungle.errors import BadInput, MissingExtra

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def png(seed: int = 0) -> bytes:
    data = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (20, 20, 3), dtype=np.uint8)).save(
        data, "PNG"
    )
    return data.getvalue()


def zipped(path: Path, files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def found(folder: Path) -> list[tuple[str, str]]:
    return [tuple(photo) for photo in scan_folder(folder).files]


ANIMALS = {"raw-img/cane/1.png": png(1), "raw-img/gatto/1.png": png(2), "translate.py": b"x = 1"}
ANIMALS_FOUND = [("raw-img/cane/1.png", "dog"), ("raw-img/gatto/1.png", "cat")]


# Folders and zips


def test_a_folder_is_used_where_it_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "zoo").mkdir()
    assert resolve(str(tmp_path / "zoo"), tmp_path / "cache") == tmp_path / "zoo"
    monkeypatch.chdir(tmp_path)
    assert resolve("zoo", tmp_path / "cache") == Path("zoo")
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("nowhere", "no folder or zip 'nowhere'"),
        ("", "no folder or zip ''"),
        ("https://example.org/a.zip", "web address"),
        ("kaggle:animals10", "write kaggle:OWNER/NAME"),
        ("hf:../../etc", "write hf:OWNER/NAME"),
    ],
)
def test_a_wrong_source_is_one_sentence(tmp_path: Path, source: str, sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence):
        resolve(source, tmp_path)


def test_a_zip_is_unpacked_once_by_content_and_only_its_photos(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    extra = {
        "__MACOSX/raw-img/cane/._1.png": b"x",
        "raw-img/cane/photo.bin": png(3),
        "raw-img/.hidden.png": png(4),
    }
    path = zipped(tmp_path / "zoo.zip", ANIMALS | extra)
    folder = resolve(str(path), tmp_path / "cache")
    assert found(folder) == [
        *ANIMALS_FOUND[:1],
        ("raw-img/cane/photo.bin", "dog"),
        *ANIMALS_FOUND[1:],
    ]
    assert sorted(p.name for p in folder.rglob("*") if p.is_file()) == [
        "1.png",
        "1.png",
        "photo.bin",
    ]
    assert (folder / "raw-img/gatto/1.png").read_bytes() == png(2)
    path.rename(tmp_path / "zoo2.zip").rename(path)
    monkeypatch.setattr(zipfile.ZipFile, "infolist", lambda self: pytest.fail("unpacked twice"))
    assert resolve(str(path), tmp_path / "cache") == folder


def test_a_flat_zip_is_one_class_named_by_the_zip(tmp_path: Path) -> None:
    folder = resolve(
        str(zipped(tmp_path / "owls.zip", {"1.png": png(1), "2.png": png(2)})), tmp_path / "cache"
    )
    assert {name for _, name in found(folder)} == {"owls"}


@pytest.mark.parametrize(
    "name", ["../evil.png", "a/../../evil.png", "/evil.png", "C:/evil.png", "..\\evil.png"]
)
def test_a_zip_that_writes_outside_is_refused(tmp_path: Path, name: str) -> None:
    path = zipped(tmp_path / "zoo.zip", {"ok/1.png": png()} | {name: png()})
    with pytest.raises(BadInput, match="outside its folder"):
        resolve(str(path), tmp_path / "cache" / "deep" / "er")
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == [path]


def test_links_in_a_zip_are_not_made(tmp_path: Path) -> None:
    path = zipped(tmp_path / "zoo.zip", ANIMALS)
    link = zipfile.ZipInfo("raw-img/cane/2.png")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(link, "/etc/passwd")
    assert found(resolve(str(path), tmp_path / "cache")) == ANIMALS_FOUND


def damaged(path: Path, kind: str) -> Path:
    if kind == "bomb":
        return zipped(path, {f"{n}.bmp": bytes(40 << 20) for n in range(3)})
    if kind == "empty":
        return zipped(path, {"readme.txt": b"hello"})
    data = bytearray(
        zipped(path, {"a/1.png": png(1), "b/2.png": png(2)}, zipfile.ZIP_STORED).read_bytes()
    )
    if kind == "flipped bit":
        data[data.index(b"IDAT") + 20] ^= 1
    elif kind == "lies about size":  # the directory promises 10 bytes for the first entry
        start = data.index(b"PK\x01\x02")
        struct.pack_into("<I", data, start + 24, 10)
    elif kind == "locked":
        for mark, offset in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
            data[data.index(mark) + offset] |= 1
    elif kind == "cut":
        del data[len(data) // 2 :]
    path.write_bytes(bytes(data))
    return path


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("bomb", "a bomb"),
        ("empty", "holds no photos"),
        ("flipped bit", "is damaged"),
        ("lies about size", "is damaged"),
        ("locked", "password"),
        ("cut", "neither a folder nor a zip"),
    ],
)
def test_a_bad_zip_is_one_sentence_and_leaves_nothing(
    tmp_path: Path, kind: str, sentence: str
) -> None:
    path = damaged(tmp_path / "zoo.zip", kind)
    with pytest.raises(BadInput, match=sentence) as caught:
        resolve(str(path), tmp_path / "cache")
    assert "\n" not in str(caught.value)
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == [path]


def test_a_full_disk_is_noticed_before_unpacking(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=100))
    with pytest.raises(BadInput, match=r"0.0 GB left"):
        resolve(str(zipped(tmp_path / "zoo.zip", ANIMALS)), tmp_path / "cache")


# Services: the real client libraries talk to this stand-in


class Stand(BaseHTTPRequestHandler):
    """Just enough of huggingface.co and api.kaggle.com; a data set called like a status answers
    with it.
    """

    files: dict[str, bytes]  # of the data set, by path
    asked: list[str]

    def reply(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def reply_json(self, value: Any) -> None:
        self.reply(200, json.dumps(value).encode(), Content_Type="application/json")

    def do_GET(self) -> None:
        self.asked.append(f"{self.command} {self.path}")
        path = self.path.split("?")[0]
        if status := next(
            (code for code in (401, 403, 404, 429, 500) if f"/status{code}" in path), 0
        ):
            self.reply(status, b"{}", X_Error_Code="RepoNotFound" if status == 404 else "")
        elif "/revision/" in path:
            self.reply_json(
                {
                    "id": "zoo/animals",
                    "sha": COMMIT,
                    "siblings": [{"rfilename": name} for name in self.files],
                }
            )
        elif "/tree/" in path:
            entries = (
                {"type": "file", "path": n, "size": len(d), "oid": hashlib.sha1(d).hexdigest()}
                for n, d in self.files.items()
            )
            self.reply_json(list(entries))
        elif "/resolve/" in path:
            data = self.files[path.split(f"/resolve/{COMMIT}/")[1]]
            self.reply(200, data, ETag=f'"{hashlib.sha1(data).hexdigest()}"', X_Repo_Commit=COMMIT)
        else:
            self.reply(404, b"")

    do_HEAD = do_GET  # noqa: N815

    def do_POST(self) -> None:
        wish = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.asked.append(f"POST {self.path} {wish.get('datasetSlug')}")
        if wish["datasetSlug"].startswith("status"):
            self.reply(int(wish["datasetSlug"][6:]), b"{}", Content_Type="application/json")
        elif self.path.endswith("/GetDataset"):
            self.reply_json({"currentVersionNumber": 3})
        else:
            data = io.BytesIO()
            with zipfile.ZipFile(data, "w") as archive:
                for name, content in self.files.items():
                    archive.writestr(name, content)
            self.reply(200, data.getvalue(), Content_Type="application/zip")

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Stand]]:
    class Mine(Stand):
        files = ANIMALS
        asked: list[str] = []  # noqa: RUF012

    server = ThreadingHTTPServer(("127.0.0.1", 0), Mine)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    address = f"http://127.0.0.1:{server.server_port}"
    for name in (
        "KAGGLE_USERNAME",
        "KAGGLE_KEY",
        "KAGGLE_API_TOKEN",
        "HF_TOKEN",
        "http_proxy",
        "HTTP_PROXY",
        "all_proxy",
        "ALL_PROXY",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(tmp_path / "home"))
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "kagglehub"))
    Mine.address = address  # type: ignore[attr-defined]
    yield Mine
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def hugging_face(
    stand: type[Stand], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> type[Stand]:
    constants = pytest.importorskip("huggingface_hub.constants")
    address = stand.address  # type: ignore[attr-defined]
    monkeypatch.setattr(constants, "ENDPOINT", address)
    monkeypatch.setattr(
        constants,
        "HUGGINGFACE_CO_URL_TEMPLATE",
        address + "/{repo_id}/resolve/{revision}/{filename}",
    )
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    return stand


@pytest.fixture
def kaggle(stand: type[Stand], monkeypatch: pytest.MonkeyPatch) -> type[Stand]:
    pytest.importorskip("kagglehub")
    from kagglesdk import kaggle_env

    monkeypatch.setitem(kaggle_env._env_to_endpoint, kaggle_env.KaggleEnv.PROD, stand.address)  # type: ignore[attr-defined]
    return stand


def test_kagglehub_downloads_animals10_once(
    kaggle: type[Stand], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = resolve("kaggle:alessiocorrado99/animals10", tmp_path)
    assert found(folder) == ANIMALS_FOUND
    downloads = len([line for line in kaggle.asked if "Download" in line])
    assert resolve("kaggle:alessiocorrado99/animals10", tmp_path) == folder
    assert len([line for line in kaggle.asked if "Download" in line]) == downloads == 1
    assert capsys.readouterr().out == ""


def test_huggingface_hub_downloads_pictures_once(hugging_face: type[Stand], tmp_path: Path) -> None:
    folder = resolve("hf:zoo/animals", tmp_path)
    assert found(folder) == ANIMALS_FOUND
    assert not (folder / "translate.py").exists()
    asked = [line for line in hugging_face.asked if "GET" in line and "/resolve/" in line]
    assert len(asked) == 2
    assert resolve("hf:zoo/animals", tmp_path) == folder
    assert [line for line in hugging_face.asked if "GET" in line and "/resolve/" in line] == asked


def test_a_zip_on_the_hub_is_unpacked(hugging_face: type[Stand], tmp_path: Path) -> None:
    hugging_face.files = {"data.zip": zipped(tmp_path / "data.zip", ANIMALS).read_bytes()}
    assert found(resolve("hf:zoo/animals", tmp_path / "cache")) == ANIMALS_FOUND
    hugging_face.files = {"readme.md": b"nothing here"}
    with pytest.raises(BadInput, match="holds 0 zips"):
        resolve("hf:zoo/nothing", tmp_path / "cache")


def parquet(path: Path, columns: dict[str, list[Any]], kinds: dict[str, Any]) -> bytes:
    datasets = pytest.importorskip("datasets")
    features = {name: getattr(datasets, kind[0])(**kind[1]) for name, kind in kinds.items()}
    datasets.Dataset.from_dict(columns, features=datasets.Features(features)).to_parquet(str(path))
    return path.read_bytes()


PICTURE = {"image": ("Image", {})}


@pytest.mark.parametrize(
    ("label", "kind", "values", "expected"),
    [
        (
            "label",
            ("ClassLabel", {"names": ["cane", "a/../b"]}),
            [0, 1, 0],
            [("cane", "dog"), ("a_.._b", "a_.._b"), ("cane", "dog")],
        ),
        (
            "species",
            ("Value", {"dtype": "string"}),
            ["owl", "fox", "owl"],
            [("owl", "owl"), ("fox", "fox"), ("owl", "owl")],
        ),
        ("caption", ("Value", {"dtype": "string"}), ["x", "y", "z"], [("", "animals")] * 3),
    ],
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_parquet_becomes_class_folders(
    hugging_face: type[Stand],
    tmp_path: Path,
    label: str,
    kind: Any,
    values: list[Any],
    expected: list[tuple[str, str]],
) -> None:
    columns = {"image": [{"bytes": png(n), "path": None} for n in range(3)], label: values}
    hugging_face.files = {
        "data/train-00000-of-00001.parquet": parquet(
            tmp_path / "a.parquet", columns, PICTURE | {label: kind}
        )
    }
    folder = resolve("hf:zoo/animals", tmp_path / "cache")
    wanted = [
        (f"{place}/{n:08}.jpg".lstrip("/"), name) for n, (place, name) in enumerate(expected, 1)
    ]
    assert sorted(found(folder)) == sorted(wanted)
    assert (folder / wanted[1][0]).read_bytes() == png(1)
    assert resolve("hf:zoo/animals", tmp_path / "cache") == folder


def test_parquet_without_pictures_is_one_sentence(
    hugging_face: type[Stand], tmp_path: Path
) -> None:
    hugging_face.files = {
        "a.parquet": parquet(
            tmp_path / "a.parquet", {"text": ["x"]}, {"text": ("Value", {"dtype": "string"})}
        )
    }
    with pytest.raises(BadInput, match=r"no picture column \(it has text\)"):
        resolve("hf:zoo/animals", tmp_path / "cache")
    hugging_face.files = {"a.parquet": b"PAR1 not really"}
    with pytest.raises(BadInput, match="cannot be read"):
        resolve("hf:zoo/broken", tmp_path / "cache")


STATUSES = [
    (403, "does not give out"),
    (404, "has no data set"),
    (429, "asks to wait"),
    (401, "does not give out"),
    (500, "could not be down"),
]


@pytest.mark.parametrize(("status", "sentence"), STATUSES)
def test_refusals_of_kaggle_are_one_sentence(
    kaggle: type[Stand], tmp_path: Path, status: int, sentence: str
) -> None:
    with pytest.raises(BadInput, match=sentence) as caught:
        resolve(f"kaggle:zoo/status{status}", tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("status", "sentence"), STATUSES)
def test_refusals_of_hugging_face_are_one_sentence(
    hugging_face: type[Stand],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    sentence: str,
) -> None:
    # the library waits between its attempts
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    with pytest.raises(BadInput, match=sentence) as caught:
        resolve(f"hf:zoo/status{status}", tmp_path)
    assert "\n" not in str(caught.value)


def test_no_network_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both libraries raise their own kinds for a connection that fails; the exception in flight is
    a real one.
    """
    for module, name, source in (
        ("kagglehub", "dataset_download", "kaggle:a/b"),
        ("huggingface_hub", "snapshot_download", "hf:a/b"),
    ):

        def fail(*args: object, **options: object) -> None:
            import urllib.request

            urllib.request.urlopen("http://127.0.0.1:1")

        monkeypatch.setattr(pytest.importorskip(module), name, fail)
        with pytest.raises(
            BadInput, match=r"could not be downloaded from .* \(URLError\): check the network"
        ):
            resolve(source, tmp_path)


@pytest.mark.parametrize(
    ("module", "extra", "source"),
    [("kagglehub", "kaggle", "kaggle:a/b"), ("huggingface_hub", "hf", "hf:a/b")],
)
def test_a_missing_library_names_its_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, module: str, extra: str, source: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtra, match=rf"pip install .*({extra}|{module})"):
        resolve(source, tmp_path)
