"""Reads a unit: a closed table of names and symbols, converted exactly where a definition says how.

100 cm is 1 m, an hour is 60 minutes: by definition, so they are one value. What needs a rate, a place or a judgement
(currencies into each other, °C into °F, months into days) stays different. Dollars are no unit: their sign is
LaTeX's mark of mathematics too, and the references of the literature (GSM8K) leave it out; every other currency is one.
A name that the table lacks (18 eggs) is its own unit.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

Dimensions = tuple[tuple[str, int], ...]
"""Base units with their powers, in the order of their names."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A product of powers of base units, and how many of these it is."""

    dimensions: Dimensions = ()
    factor: Fraction = Fraction(1)


NO_UNIT = Unit()

_PREFIXES = {
    "n": ("nano", -9), "\u00b5": ("micro", -6), "\u03bc": ("micro", -6), "m": ("milli", -3), "c": ("centi", -2),
    "d": ("deci", -1), "": ("", 0), "k": ("kilo", 3), "M": ("mega", 6), "G": ("giga", 9), "T": ("tera", 12),
}  # fmt: skip
_METRIC = {
    "m": ("meter metre", "m", "1"), "g": ("gram gramme", "g", "1"), "s": ("second sec", "s", "1"),
    "L": ("liter litre", "m3", "1/1000"), "l": ("", "m3", "1/1000"), "W": ("watt", "W", "1"), "J": ("joule", "J", "1"),
    "N": ("newton", "N", "1"), "V": ("volt", "V", "1"), "Hz": ("hertz", "Hz", "1"), "Pa": ("pascal", "Pa", "1"),
    "B": ("byte", "B", "1"), "mol": ("mole", "mol", "1"), "cal": ("calorie", "cal", "1"), "Wh": ("", "Wh", "1"),
}  # fmt: skip
_OTHERS = """
ms=1/1000 s; min minute minutes=60 s; h hr hrs hour hours=3600 s; day days=86400 s; week weeks wk=604800 s; sec secs=1 s
month months=1 month; year years yr yrs=12 month; decade decades=120 month; century centuries=1200 month
in inch inches=0.0254 m; ft foot feet=0.3048 m; yd yard yards=0.9144 m; mi mile miles=1609.344 m
lb lbs pound pounds=453.59237 g; oz ounce ounces=28.349523125 g; ton tons=1 ton; t tonne tonnes=1000000 g
acre acres=1 acre; ha hectare hectares=10000 m2; gallon gallons gal=1 gallon
pint pints=1/8 gallon; quart quarts=1/4 gallon
cup cups=1/16 gallon; ° degree degrees deg=1 °; rad radian radians=1 rad; °C ℃=1 °C; °F ℉=1 °F; kelvin kelvins=1 K
$ usd us$ dollar dollars buck bucks=1; ¢ cent cents=1/100; € eur euro euros=1 EUR; £ gbp quid=1 GBP; ¥ jpy yen=1 JPY
₹ inr rs rupee rupees=1 INR; ₩ krw won=1 KRW; cny rmb yuan=1 CNY; chf franc francs=1 CHF; dozen dozens=12
bit bits=1/8 B; rpm=1/60 Hz; ohm ohms Ω=1 ohm; amp amps ampere amperes=1 A
"""
_PHRASES = {
    "degrees celsius": "°C", "degree celsius": "°C", "° celsius": "°C", "celsius": "°C", "° c": "°C", "° f": "°F",
    "degrees fahrenheit": "°F", "degree fahrenheit": "°F", "° fahrenheit": "°F", "fahrenheit": "°F",
    "mph": "mi/h", "km/hr": "km/h", "kph": "km/h", "pounds sterling": "£", "us dollars": "$",
}  # fmt: skip
_POWERS = {"square": 2, "sq": 2, "sq.": 2, "squared": 2, "cubic": 3, "cu": 3, "cubed": 3}
_PER = re.compile(r"\s*/\s*|\s+per\s+|^per\s+")
_RAISED = re.compile(r"([^\^]+)\^\{?(-?[1-4])\}?")


def _make_table() -> Iterator[tuple[str, Unit]]:
    for symbol, (names, base, size) in _METRIC.items():
        for prefix, (word, power) in _PREFIXES.items():
            dimensions: Dimensions = ((base.rstrip("3"), 3 if base.endswith("3") else 1),)
            unit = Unit(dimensions, Fraction(size) * Fraction(10) ** power)
            yield prefix + symbol, unit
            for name in names.split():
                yield word + name, unit
                yield word + name + "s", unit
    for entry in filter(None, re.split(r"[;\n]\s*", _OTHERS)):
        names, _, meaning = entry.partition("=")
        size, _, base = meaning.partition(" ")
        power = 2 if base == "m2" else 1
        dimensions = ((base.rstrip("2"), power),) if base else ()
        for name in names.split():
            yield name, Unit(dimensions, Fraction(size))


UNITS: Mapping[str, Unit] = dict(_make_table())
"""By name in lower case, and by symbol as it is written: a megagram is no milligram."""


def read_unit(text: str) -> Unit | None:
    """Reads the unit that a text is: `km`, `square meters`, `m/s^2`, `miles per hour`. None where it is none."""
    text = " ".join(text.split())
    text = _PHRASES.get(text.casefold(), text)
    if not text or len(text) > 60:
        return None
    parts = _PER.split(text)
    powers: dict[str, int] = {}
    factor = Fraction(1)
    for place, part in enumerate(parts):
        unit = NO_UNIT if not part and place == 0 else _read_power(part)
        if unit is None:
            return None
        side = -1 if place else 1
        factor *= unit.factor**side
        for base, power in unit.dimensions:
            powers[base] = powers.get(base, 0) + side * power
    return Unit(tuple(sorted((base, power) for base, power in powers.items() if power)), factor)


def _read_power(text: str) -> Unit | None:
    words, power = text.split(), 1
    if len(words) > 1 and words[0].casefold() in _POWERS:
        power, words = _POWERS[words[0].casefold()], words[1:]
    elif len(words) > 1 and words[-1].casefold() in _POWERS:
        power, words = _POWERS[words[-1].casefold()], words[:-1]
    name = " ".join(words)
    if raised := _RAISED.fullmatch(name):
        name, power = raised[1].strip(), int(raised[2])
    unit = UNITS.get(name) or (UNITS.get(name.casefold()) if len(name) > 1 else None)
    if unit is None:
        return None
    return Unit(tuple((base, each * power) for base, each in unit.dimensions), unit.factor**power)


def name_unit(words: str) -> Unit:
    """Makes a unit that is no more than a name: 18 eggs are as many as 18 egg, and are no 18 apples."""
    name = " ".join(words.casefold().split()).rstrip(".!")
    return Unit(((name[:-1] if name.endswith("s") and not name.endswith("ss") else name, 1),))
