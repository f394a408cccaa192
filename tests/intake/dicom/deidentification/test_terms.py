"""Cleaned descriptions say to sorting what the whole ones said, and nothing of people."""

import re

import pytest

from opencmr.imaging.study import SeriesHeader
from opencmr.intake.dicom.deidentification.terms import cleaned_description, is_pulse_sequence
from opencmr.sort import words
from opencmr.sort.evidence import words_of

TOPICS = {name: words.any_language(topic) for name, topic in vars(words).items() if name.isupper()}
DESCRIPTIONS = (
    "cine_trufi_retro 4CH",
    "ShMOLLI_192i_e11_T1MAP",
    "CINE SAX STACK",
    "LGE PSIR 2ch Dr Doe",
    "SCOUT",
    "T2* map",
    "de_tfl2d1_psir_sax",
    "T1 MOLLI 5(3)3 post Gd",
    "Perfusion first pass stress adenosine",
    "q flow venc150",
    "kurze Achse Spätenhancement",
    "Vierkammerblick Cine",
    "cine petit axe",
    "rehaussement tardif grand axe",
    "eje corto cine",
    "realce tardío 4 camaras",
    "cine eje largo horizontal",
    "T1 Kartierung nativ",
    "carte T2",
    "心脏电影短轴",
    "延迟强化 短轴",
    "T1图",
    "静息灌注",
    "HASTE dark blood",
    "t2 prep map",
    "TI scout",
    "localizador",
    "repérage",
    "SPAMM grid tagging",
    "DENSE",
    "rv 2ch",
    "RVOT",
    "LVOT cine",
    "FITPARAMS",
    "knee",
    "belastung",
    "repos",
    "ruhe",
    "Real time free breathing",
    "sang noir",
    "contraste de fase",
    "flux aorte",
    "candy cane",
)


@pytest.mark.parametrize("said", DESCRIPTIONS)
def test_a_cleaned_description_speaks_of_the_same(said):
    def spoken(text: str) -> set[str]:
        plain = words_of(SeriesHeader(series_description=text))
        return {name for name, pattern in TOPICS.items() if re.search(pattern, plain)}

    assert spoken(said), "the sample says nothing"
    assert spoken(cleaned_description(said)) == spoken(said)


@pytest.mark.parametrize("name", ["Doe", "Späth", "Müller-Lange", "8675309", "19431224", "Janesax"])
def test_no_name_is_left_of_a_description(name):
    said = cleaned_description(f"cine {name} SAX", names=["Müller-Lange"])
    assert said == "cine x sax"


@pytest.mark.parametrize(
    "name", ["*tfi2d1_10", "fl2d1_v150in", "*tfl2d1_120", "fiesta", "tfi2d1_84"]
)
def test_names_of_pulse_sequences_are_known(name):
    assert is_pulse_sequence(name)
    assert not is_pulse_sequence(f"{name}jane")
    assert not is_pulse_sequence(f"jane{name}")
