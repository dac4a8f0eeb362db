"""What the demo shop sells: kinds of items, their attributes, and the words for them."""

from dataclasses import dataclass

import numpy as np

COLOURS = {
    "red": (204, 51, 54),
    "orange": (232, 130, 46),
    "yellow": (240, 200, 62),
    "green": (66, 142, 84),
    "teal": (40, 140, 148),
    "blue": (52, 98, 186),
    "purple": (124, 78, 160),
    "pink": (232, 132, 168),
    "brown": (132, 88, 58),
    "black": (46, 46, 52),
    "grey": (146, 150, 156),
    "white": (244, 243, 238),
}
PATTERNS = ("plain", "striped", "dotted", "checked", "floral")
VISUAL = ("Clothing", "Shoes", "Bags", "Furniture")
_PATTERN_SHARES = (0.4, 0.18, 0.14, 0.14, 0.14)
_STYLES = ("classic", "urban", "soft", "slim", "relaxed", "modern", "light", "everyday", "studio")


@dataclass(frozen=True)
class Kind:
    """A kind of item.

    Args:
        name: The word for it.
        category: Top-level category.
        plural: How shoppers write it in the plural.
        synonym: Another word for it, or the same.
        brands: Who makes it.
        attributes: What one can ask for beside brand; of a non-visual kind.
        price: Lowest and highest price in EUR.
    """

    name: str
    category: str
    plural: str
    synonym: str
    brands: tuple[str, ...]
    attributes: dict[str, tuple[str, ...]]
    price: tuple[float, float]

    @property
    def is_visual(self) -> bool:
        """Whether it is bought by eye."""
        return self.category in VISUAL


@dataclass(frozen=True)
class DemoItem:
    """One item of the shop.

    Args:
        item_id: Its id.
        kind: What it is.
        brand: Who makes it.
        facts: Everything that can be asked for, by attribute (colour and pattern included).
        told: The attributes that the title tells.
        title: The title.
        price: Price in EUR.
        group_id: Items of one group differ in size only, "" for none.
    """

    item_id: str
    kind: Kind
    brand: str
    facts: dict[str, str]
    told: tuple[str, ...]
    title: str
    price: float
    group_id: str


_WEAR = ("Nordhaven", "Calla", "Mirelle", "Tamsin Row", "Okoro", "Finch & Ivy")
_STEP = ("Strada", "Velmo", "Pacer", "Kestrel", "Ostara")
_CARRY = ("Lunetta", "Harrow", "Bramley", "Sable Co")
_HOME = ("Ekholm", "Oakline", "Maison Rue", "Fjord")
KINDS = (
    Kind("dress", "Clothing", "dresses", "gown", _WEAR, {}, (25, 120)),
    Kind("shirt", "Clothing", "shirts", "top", _WEAR, {}, (15, 70)),
    Kind("trousers", "Clothing", "trousers", "pants", _WEAR, {}, (25, 95)),
    Kind("skirt", "Clothing", "skirts", "skirt", _WEAR, {}, (20, 80)),
    Kind("jacket", "Clothing", "jackets", "coat", _WEAR, {}, (45, 220)),
    Kind("sneaker", "Shoes", "sneakers", "trainers", _STEP, {}, (40, 140)),
    Kind("boot", "Shoes", "boots", "boots", _STEP, {}, (60, 190)),
    Kind("sandal", "Shoes", "sandals", "sandals", _STEP, {}, (20, 80)),
    Kind("backpack", "Bags", "backpacks", "rucksack", _CARRY, {}, (30, 120)),
    Kind("handbag", "Bags", "handbags", "purse", _CARRY, {}, (35, 260)),
    Kind("chair", "Furniture", "chairs", "armchair", _HOME, {}, (60, 340)),
    Kind("sofa", "Furniture", "sofas", "couch", _HOME, {}, (320, 1400)),
    Kind("cushion", "Furniture", "cushions", "pillow", _HOME, {}, (12, 48)),
    Kind("lamp", "Furniture", "lamps", "light", _HOME, {}, (25, 160)),
    Kind("novel", "Books", "novels", "book", ("Quill House", "Larkspur Press", "Meridian Books"),
         {"genre": ("crime", "romance", "fantasy", "historical", "science fiction"),
          "format": ("paperback", "hardcover", "audiobook", "large print")}, (8, 28)),
    Kind("guide", "Books", "guides", "handbook", ("Meridian Books", "Waymark"),
         {"topic": ("gardening", "baking", "photography", "hiking", "chess", "knitting"),
          "format": ("paperback", "hardcover", "ebook")}, (10, 35)),
    Kind("cable", "Cables", "cables", "lead", ("Voltline", "Cordia", "Plexo"),
         {"connector": ("usb c", "hdmi", "displayport", "ethernet", "lightning", "micro usb"),
          "length": ("0.5m", "1m", "2m", "3m", "5m")}, (4, 35)),
    Kind("tablets", "Medicine", "tablets", "pills", ("Sanora", "Vitaleen", "Medica"),
         {"substance": ("ibuprofen", "paracetamol", "cetirizine", "magnesium", "vitamin d"),
          "strength": ("100 mg", "200 mg", "400 mg", "500 mg")}, (3, 24)),
    Kind("coffee", "Groceries", "coffee", "coffee", ("Monte Alto", "Brazza", "Daybreak"),
         {"roast": ("dark roast", "medium roast", "light roast", "decaf"),
          "size": ("250g", "500g", "1kg")}, (4, 26)),
    Kind("pasta", "Groceries", "pasta", "noodles", ("Trattina", "Granoro Sud"),
         {"shape": ("spaghetti", "penne", "fusilli", "lasagne", "orzo"),
          "flour": ("whole wheat", "gluten free", "egg", "durum")}, (1, 6)),
    Kind("battery", "Batteries", "batteries", "cell", ("Voltline", "Enero", "Duramax"),
         {"cell": ("aa", "aaa", "9v", "cr2032", "18650"),
          "pack": ("2 pack", "4 pack", "8 pack", "20 pack")}, (2, 30)),
    Kind("notebook", "Stationery", "notebooks", "notepad", ("Paperwing", "Inkwell"),
         {"ruling": ("lined", "squared", "blank", "dotgrid"),
          "sheet": ("a4", "a5", "a6", "pocket")}, (3, 22)),
    Kind("software", "Software", "software", "program", ("Brightbyte", "Kernelworks"),
         {"purpose": ("antivirus", "photo editing", "accounting", "backup", "typing tutor"),
          "license": ("1 year", "2 years", "lifetime", "family")}, (15, 190)),
    Kind("seeds", "Garden", "seeds", "seed packet", ("Greenfold", "Old Orchard"),
         {"plant": ("tomato", "basil", "carrot", "sunflower", "lettuce", "chilli"),
          "quality": ("organic", "heirloom", "hybrid")}, (2, 9)),
    Kind("detergent", "Household", "detergents", "washing powder", ("Claro", "Purella"),
         {"use": ("laundry", "dishwasher", "bathroom", "window"),
          "volume": ("500ml", "1l", "2l", "5l")}, (3, 28)),
    Kind("filter", "Spare Parts", "filters", "filter", ("Aerion", "Hydrosys"),
         {"device": ("vacuum", "coffee machine", "aquarium", "air conditioner", "water jug"),
          "model": ("x100", "x200", "pro 5", "mini")}, (6, 45)),
)  # fmt: skip


def make_items(num_items: int, rng: np.random.Generator) -> list[DemoItem]:
    """Return the items of the shop, half of them visual."""
    visual = [kind for kind in KINDS if kind.is_visual]
    others = [kind for kind in KINDS if not kind.is_visual]
    items = []
    for number in range(num_items):
        pool = visual if number % 2 == 0 else others
        kind = pool[int(rng.integers(len(pool)))]
        items.append(_make_item(f"d{number:05d}", kind, rng))
    return items


def _make_item(item_id: str, kind: Kind, rng: np.random.Generator) -> DemoItem:
    brand = kind.brands[int(rng.integers(len(kind.brands)))]
    low, high = kind.price
    price = round(float(low * (high / low) ** rng.random()), 2)
    if not kind.is_visual:
        facts = {
            name: values[int(rng.integers(len(values)))] for name, values in kind.attributes.items()
        }
        words = [brand, *facts.values(), kind.name]
        return DemoItem(item_id, kind, brand, facts, tuple(facts), _title(words), price, "")
    colour = list(COLOURS)[int(rng.integers(len(COLOURS)))]
    pattern = str(rng.choice(PATTERNS, p=_PATTERN_SHARES))
    facts = {"colour": colour, "pattern": pattern}
    # Half of the titles leave out what can be seen: then only the picture knows.
    told = tuple(name for name in facts if rng.random() < 0.5)
    style = _STYLES[int(rng.integers(len(_STYLES)))]
    words = [brand, style]
    words += [facts[name] for name in told if facts[name] != "plain"]
    words.append(kind.name)
    group = f"g{item_id[1:]}" if rng.random() < 0.1 else ""
    return DemoItem(item_id, kind, brand, facts, told, _title(words), price, group)


def _title(words: list[str]) -> str:
    text = " ".join(words)
    return text[0].upper() + text[1:]
