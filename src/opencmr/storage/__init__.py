"""What is kept on disk: files whole or not at all, results put in place in one step.

Whoever writes asks for a name of this page; the modules behind it, each using those below it::

    results     temporary       a result, a growing folder; room for a while
    places      workplace       where an output may lie; made beside it, moved when whole
    ownership   locks           what may be replaced; one process at a time
    space       faults          room enough; what the file system refuses, in words
    checksums   whole_files     what a file holds; one file whole or not at all

Nothing is deleted that opencmr did not write (ADR 0010).
"""

from opencmr.storage.checksums import sha256_of as sha256_of
from opencmr.storage.checksums import sha256_of_bytes as sha256_of_bytes
from opencmr.storage.faults import NO_SPACE as NO_SPACE
from opencmr.storage.faults import is_full as is_full
from opencmr.storage.ownership import RUN_FILE as RUN_FILE
from opencmr.storage.ownership import is_collection as is_collection
from opencmr.storage.ownership import is_ours as is_ours
from opencmr.storage.ownership import require_replaceable as require_replaceable
from opencmr.storage.results import growing_folder as growing_folder
from opencmr.storage.results import result_files as result_files
from opencmr.storage.results import result_folder as result_folder
from opencmr.storage.temporary import require_temporary_space as require_temporary_space
from opencmr.storage.temporary import spool as spool
from opencmr.storage.whole_files import write_bytes as write_bytes
from opencmr.storage.whole_files import write_json as write_json
