"""Tables as people have them: damaged, with columns twice, under paths that look like patterns."""

from pathlib import Path
from random import Random

import polars
import pyarrow
import pytest
from pinch.config.sources import Source
from pinch.errors import PinchError
from pinch.sources.reading import read
from pyarrow.parquet import write_table


def values(path: Path) -> list[dict[str, object]]:
    return [row.values for row in read(Source(path=str(path)))]


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_two_columns_of_one_name_are_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"own.{suffix}"
    if suffix == "csv":
        path.write_text("id,instruction,id\na,Name 1.,b\n")
    else:
        write_table(pyarrow.table([pyarrow.array(["a"])] * 3, names=["id", "instruction", "id"]), path)
    with pytest.raises(PinchError, match=rf"own.{suffix}: has two columns 'id'; leave one out or rename it"):
        values(path)


def test_columns_may_be_called_as_polars_calls_a_second_one(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("id,a_duplicated_0,a_duplicated_1\n1,2,3\n")
    assert values(path) == [{"id": "1", "a_duplicated_0": "2", "a_duplicated_1": "3"}]


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_brackets_in_a_path_are_no_pattern(tmp_path: Path, suffix: str) -> None:
    folder = tmp_path / "run [1] *"
    folder.mkdir()
    table = polars.DataFrame([{"id": "a", "instruction": "Name 1."}])
    getattr(table, f"write_{suffix}")(folder / f"own.{suffix}")
    assert values(folder / f"own.{suffix}") == table.to_dicts()


def test_damaged_parquet_is_an_error_and_no_end_of_the_process(tmp_path: Path) -> None:
    """At about one in a hundred of such files polars panics; at some it aborts."""
    path = tmp_path / "own.parquet"
    polars.DataFrame([{"id": f"r{n}", "instruction": f"Name {n}.", "rank": n} for n in range(15)]).write_parquet(path)
    whole, random, refused = path.read_bytes(), Random(0), 0
    for _ in range(300):
        damaged = bytearray(whole)
        for _ in range(random.choice((1, 2, 4))):
            damaged[random.randrange(len(damaged))] = random.randrange(256)
        path.write_bytes(damaged)
        try:
            values(path)
        except PinchError as error:
            assert "own.parquet" in str(error)
            refused += 1
    assert refused > 100
