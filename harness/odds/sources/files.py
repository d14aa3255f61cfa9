"""Draws from a CSV or Parquet file, or from the journal of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as arrow_csv
from pyarrow import parquet

from harness.errors import UsageError
from harness.journal import read_journal
from harness.odds.draws import Draws
from harness.odds.heading import heading, known_as, separator_of
from harness.odds.intake import draws_of
from harness.odds.mints import single_mints
from harness.odds.table import RarityTable

_ROWS_A_BATCH = 50_000
_BYTES_A_READ = 1 << 20
#: Whether a column is to be read.
Wanted = Callable[[str], bool]
_CODED = ("wallet", "box", "tier", "skin")
_TEXTS = ("time", "mint", "number", "paid_lamports", *_CODED)
_HEADING_MAX = 1 << 16


def draws_from_file(
    path: Path,
    tables: Mapping[str, RarityTable],
    *,
    strict: bool = True,
    keep_mints: bool = True,
) -> Draws:
    """Draws from `.csv`, `.parquet`, or a run's `journal.jsonl`.

    Without `keep_mints` a table's mints are read first, on their own, and given up for their digest
    if each stands once: 8 bytes a row less are held while the other columns are read.
    Raises UsageError for a file that cannot be read and naming the row that is wrong.
    """
    readers = {".csv": _csv, ".parquet": _parquet}
    if path.suffix not in (*readers, ".jsonl"):
        raise UsageError(f"{path}: draws are read from .csv, .parquet or a journal.jsonl")
    pool = pa.default_memory_pool()
    try:
        # Arrow's own allocators keep what was freed; the system's takes it back.
        pa.set_memory_pool(pa.system_memory_pool())
        if path.suffix == ".jsonl":
            return draws_of(_journal(path), path.name, tables, strict=strict)
        read = readers[path.suffix]
        if not keep_mints:
            mints = (batch.column(0) for batch in read(path, _only_mints))
            if single := single_mints(mints):
                draws = draws_of(
                    read(path, _all_but_mints), path.name, tables, strict=strict,
                    mint_digest=single.digest,
                )  # fmt: skip
                if len(draws) == single.rows:  # none was rejected, and the file is the same still
                    return draws
        return draws_of(read(path), path.name, tables, strict=strict)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror or error})") from None
    except (pa.ArrowInvalid, ValueError) as error:
        raise UsageError(f"{path.name}: cannot be read: {error}") from None
    finally:
        pa.set_memory_pool(pool)


def _only_mints(name: str) -> bool:
    return known_as(name) == "mint"


def _all_but_mints(name: str) -> bool:
    return known_as(name) != "mint"


def _csv(path: Path, wanted: Wanted = lambda _: True) -> Iterator[pa.RecordBatch]:
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        parse = arrow_csv.ParseOptions(delimiter=separator_of(file.readline(_HEADING_MAX)))
    with arrow_csv.open_csv(path, parse_options=parse) as reader:
        heading(path.name, reader.schema.names)
        names = [name for name in reader.schema.names if wanted(name)]
    if not names:
        return
    with arrow_csv.open_csv(
        path,
        parse_options=parse,
        convert_options=arrow_csv.ConvertOptions(
            column_types={name: pa.string() for name in names if known_as(name) in _TEXTS},
            include_columns=names,
            strings_can_be_null=True,
            null_values=["", "NaN", "nan", "NULL"],
        ),
    ) as reader:
        for batch in reader:
            yield batch
            pa.default_memory_pool().release_unused()


def _parquet(path: Path, wanted: Wanted = lambda _: True) -> Iterator[pa.RecordBatch]:
    written = heading(path.name, parquet.read_schema(path, memory_map=False).names)
    with parquet.ParquetFile(
        path,
        read_dictionary=[one for name, one in written.items() if name in _CODED],
        memory_map=False,
        pre_buffer=False,
        buffer_size=_BYTES_A_READ,
    ) as file:
        names = [name for name in written.values() if wanted(name)]
        if not names:
            return
        for group in range(file.num_row_groups):  # one at a time: all at once would be buffered
            for batch in file.iter_batches(
                batch_size=_ROWS_A_BATCH, row_groups=[group], columns=names, use_threads=False
            ):
                yield batch
                pa.default_memory_pool().release_unused()  # what lies free between used pieces
    pa.default_memory_pool().release_unused()  # what the reader itself held


def _journal(path: Path) -> Iterator[pa.RecordBatch]:
    """The reveals of a run, as rows 1, 2, ..; a field that a line lacks is missing there."""
    wanted = dict(zip(("time", *_CODED), ("at", *_CODED), strict=True))
    rows: dict[str, list[str | None]] = {name: [] for name in ("mint", *wanted)}
    for number, line in enumerate(read_journal(path), start=1):
        if not isinstance(line, dict):
            raise ValueError(f"line {number} is no JSON object")
        if "kind" not in line:
            raise ValueError(f"line {number} is not one of a journal: it has no kind")
        if line["kind"] != "reveal":
            continue
        for name, key in wanted.items():
            rows[name].append(_text_of(line, key))
        # names of NFTs and players repeat from scenario to scenario
        scenario, nft = line.get("scenario"), _text_of(line, "nft")
        rows["mint"].append(None if nft is None else f"{scenario}/{nft}")
        wallet = rows["wallet"][-1]
        rows["wallet"][-1] = None if wallet is None else f"{scenario}/{wallet}"
    yield pa.RecordBatch.from_pydict(
        {name: pa.array(values, pa.string()) for name, values in rows.items()}
    )


def _text_of(line: Mapping[str, object], key: str) -> str | None:
    value = line.get(key)
    return None if value is None else str(value)
