"""The checklist: every item once, in order, and what is not known is the author's."""

import pytest

from opencmr.validate.claim import FOR_THE_AUTHOR, TOPICS, claim_items


def test_there_are_the_44_items_of_2024_and_no_topic_twice():
    items = claim_items({})
    assert [item.number for item in items] == list(range(1, 45))
    assert len(set(TOPICS)) == 44
    assert {item.text for item in items} == {FOR_THE_AUTHOR}


def test_what_is_known_stands_at_its_number_and_nowhere_else():
    items = claim_items({28: "Dice", 44: "none"})
    assert [(i.number, i.text) for i in items if i.text != FOR_THE_AUTHOR] == [
        (28, "Dice"),
        (44, "none"),
    ]
    # Numbers and topics as in Tejani et al., Radiol Artif Intell 2024; 6(4):e240300.
    assert (items[27].topic, items[43].topic) == ("Metrics of performance", "Funding")


@pytest.mark.parametrize("number", [0, 45])
def test_a_number_that_is_no_item_is_refused(number):
    with pytest.raises(ValueError, match="1 to 44"):
        claim_items({number: "?"})
