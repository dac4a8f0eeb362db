"""Small folders in the forms in which data sets are published, with content of our own."""

import json
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

COLOURS = {"Red": (200, 20, 20), "Blue": (20, 20, 200), "Green": (20, 160, 20)}


def jpeg(colour: str, number: int) -> bytes:
    """Return a picture of a colour, another for every number."""
    content = BytesIO()
    picture = Image.new("RGB", (12, 16), COLOURS[colour])
    picture.putpixel((number % 12, number // 12 % 16), (255, 255, 255))
    picture.save(content, "PNG")
    return content.getvalue()


def write_hub(path: Path, records: list[dict[str, Any]]) -> None:
    """Write a parquet file as the hub does: pictures as {bytes, path}."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(records), path)


def kagl_records() -> list[dict[str, Any]]:
    """Return twelve items, two of each of six titles, as Marqo/KAGL has them."""
    rows = []
    for number in range(12):
        colour = list(COLOURS)[number % 3]
        kind = ("Shoes", "Casual Shoes") if number % 2 else ("Topwear", "Tshirts")
        rows.append(
            {
                "image": {"bytes": jpeg(colour, number), "path": f"{number}.jpg"},
                "gender": "Men",
                "category1": "Footwear" if number % 2 else "Apparel",
                "category2": kind[0],
                "category3": kind[1],
                "baseColour": colour,
                "season": None if number == 5 else "Fall",
                "year": 2011.0,
                "usage": "Casual",
                "text": f"Acme Men {colour} {kind[1]}",
                "item_ID": 1000 + number,
            }
        )
    return rows


@pytest.fixture
def kagl(tmp_path: Path) -> Path:
    """The hub's files, in two parts, with right answers for colours beside them."""
    records = kagl_records()
    write_hub(tmp_path / "KAGL/data/data-00000-of-00002.parquet", records[:7])
    write_hub(tmp_path / "KAGL/data/data-00001-of-00002.parquet", records[7:])
    answers: dict[str, dict[str, int]] = {}
    for record in records:
        answers.setdefault(record["baseColour"], {})[str(record["item_ID"])] = 1
    answers["Red"]["99"] = 1  # an item of the whole catalogue
    answers["Pink"] = {"98": 1}
    truth = tmp_path / "KAGL/gt_query_doc/ground_truth_baseColour-image+text.json"
    truth.parent.mkdir()
    truth.write_text(json.dumps(answers))
    return tmp_path / "KAGL"


@pytest.fixture
def kaggle(tmp_path: Path) -> Path:
    """Kaggle's styles.csv: one title holds a comma that is not quoted; one picture is missing."""
    folder = tmp_path / "kaggle"
    (folder / "images").mkdir(parents=True)
    header = "id,gender,masterCategory,subCategory,articleType,baseColour,season,year,usage,"
    lines = [header + "productDisplayName"]
    for number in (1, 2, 3):
        lines.append(f"{number},Men,Apparel,Topwear,Tshirts,Red,Fall,2011.0,Casual,Tee {number}")
        if number != 2:
            (folder / f"images/{number}.jpg").write_bytes(jpeg("Red", number))
    lines.append("4,Men,Apparel,Topwear,Tshirts,Red,Fall,2011.0,Casual,Tee, with a comma")
    (folder / "styles.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture
def wands(tmp_path: Path) -> Path:
    folder = tmp_path / "WANDS/dataset"
    folder.mkdir(parents=True)
    (folder / "product.csv").write_text(
        "product_id\tproduct_name\tproduct_class\tcategory hierarchy\tproduct_description\t"
        "product_features\trating_count\taverage_rating\treview_count\n"
        "0\tsolid oak bed\tBeds\tFurniture / Bedroom Furniture / Beds\ta bed, of oak\t"
        "material : oak|width:64.7|width:65\t15.0\t4.5\t15.0\n"
        "1\tblue rug\tRugs\t\tsoft\t\t\t\t\n"
    )
    (folder / "query.csv").write_text("query_id\tquery\tquery_class\n0\toak bed\tBeds\n")
    (folder / "label.csv").write_text(
        "id\tquery_id\tproduct_id\tlabel\n0\t0\t0\tExact\n1\t0\t1\tIrrelevant\n"
    )
    return tmp_path / "WANDS"


@pytest.fixture
def home_depot(tmp_path: Path) -> Path:
    folder = tmp_path / "depot"
    folder.mkdir()
    (folder / "train.csv").write_bytes(
        '"id","product_uid","product_title","search_term","relevance"\n'
        '2,100001,"Angle 12-Gauge, 3\xbd in.","angle  bracket",3.00\n'
        '3,100001,"Angle 12-Gauge, 3\xbd in.","l bracket",2.33\n'
        '9,100002,"Deck Coating","angle  bracket",1.00\n'.encode("latin-1")
    )
    (folder / "test.csv").write_text(
        '"id","product_uid","product_title","search_term"\n1,100003,"Rain Head","shower"\n'
    )
    (folder / "product_descriptions.csv").write_text(
        '"product_uid","product_description"\n100001,"Not only, but\nstronger"\n'
    )
    (folder / "attributes.csv").write_text(
        '"product_uid","name","value"\n100001,"MFG Brand Name","Simpson"\n'
        '100001,"Bullet01","versatile"\n100002,"Color Family","Browns"\n'
    )
    return folder


@pytest.fixture
def esci(tmp_path: Path) -> Path:
    folder = tmp_path / "esci"
    (folder / "sqid").mkdir(parents=True)
    rows = [
        (1, "red boot", 10, "B1", "us", "E", 1, 1, "test"),
        (2, "red boot", 10, "B2", "us", "I", 1, 1, "test"),
        (3, "blue bag", 11, "B2", "us", "E", 1, 1, "train"),
        (4, "blue bag", 11, "B1", "us", "S", 1, 1, "train"),
        (5, "easy", 12, "B3", "us", "E", 0, 1, "test"),
        (6, "bota", 13, "B1", "es", "C", 1, 1, "test"),
    ]
    names = ["example_id", "query", "query_id", "product_id", "product_locale", "esci_label",
             "small_version", "large_version", "split"]  # fmt: skip
    file = "shopping_queries_dataset_examples.parquet"
    pd.DataFrame(rows, columns=names).to_parquet(folder / file)
    products = [
        ("B1", "Red boot", "of leather", "warm\nsoft", "Acme", "Red", "us"),
        ("B2", "Blue bag", None, None, None, None, "us"),
        ("B3", "Easy chair", None, None, None, None, "us"),
        ("B4", "Judged nowhere", None, None, None, None, "us"),
        ("B1", "Bota roja", None, None, "Acme", "Rojo", "es"),
    ]
    names = ["product_id", "product_title", "product_description", "product_bullet_point",
             "product_brand", "product_color", "product_locale"]  # fmt: skip
    file = "shopping_queries_dataset_products.parquet"
    pd.DataFrame(products, columns=names).to_parquet(folder / file)
    (folder / "sqid/product_image_urls.csv").write_text(
        "product_id,image_url\nB1,https://pictures.example/b1.jpg\nB2,\n"
    )
    return folder


@pytest.fixture
def listed(tmp_path: Path) -> Callable[[str, str, str], Path]:
    """Return what writes pairs of query and item with a picture, as Marqo's other sets."""

    def write(file: str, item_id: str, kind: str) -> Path:
        rows = [("red boot", "7", "Red boot", 1), ("red boot", "8", "Brown boot", 2),
                ("blue bag", "9", "Blue bag", 1), ("blue bag", "7", "Red boot", 2)]  # fmt: skip
        records: list[dict[str, Any]] = []
        for number, (query, key, title, position) in enumerate(rows):
            picture = {"bytes": jpeg("Red", int(key)), "path": None}
            record = {"image": picture, item_id: key, "query": query, "title": title}
            record["position"] = position
            if kind == "gs":
                record |= {"score_linear": 101 - position, "query_id": f"q{number // 2}"}
            records.append(record)
        write_hub(tmp_path / kind / "data" / file, records)
        return tmp_path / kind

    return write
