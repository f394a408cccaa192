"""The push model of storage commitment (PS3.4 annex J): its names and numbers, and its question."""

from collections.abc import Sequence

from pydicom.dataset import Dataset
from pydicom.uid import UID

PUSH_MODEL, PUSH_MODEL_INSTANCE = UID("1.2.840.10008.1.20.1"), UID("1.2.840.10008.1.20.1.1")
"""The SOP class, and its one instance that everybody knows (PS3.6 table A-1)."""
REQUEST = 1
ALL_SAFE, SOME_NOT = 1, 2
"""Action type and event types (PS3.4 tables J.3-1 and J.3-2)."""
NO_SUCH_OBJECT, CLASS_CONFLICT = 0x0112, 0x0119
"""Failure reasons (PS3.3 C.14.1.1)."""
SUCCESS, PROCESSING_FAILURE, NO_SUCH_EVENT = 0x0000, 0x0110, 0x0113
INVALID, NO_SUCH_ACTION = 0x0115, 0x0123
"""Statuses of N-ACTION and N-EVENT-REPORT (PS3.7 annex C)."""


def question(transaction_uid: str, instances: Sequence[tuple[str, str]]) -> Dataset:
    """Return what is asked of instances, each a SOP class and a SOP instance UID."""
    asked = Dataset()
    asked.TransactionUID = transaction_uid
    asked.ReferencedSOPSequence = []
    for sop_class_uid, sop_instance_uid in instances:
        item = Dataset()
        item.ReferencedSOPClassUID = sop_class_uid
        item.ReferencedSOPInstanceUID = sop_instance_uid
        asked.ReferencedSOPSequence.append(item)
    return asked
