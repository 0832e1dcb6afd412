"""One Orthanc for all tests of this folder, and a study to send."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from servers import Orthanc, orthanc

from medrecon.core import Acquisition, Geometry, Modality, Volume
from medrecon.dicom.write_ct import CtSeries, TransferSyntax, write_ct_series


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    with orthanc(tmp_path_factory.mktemp("orthanc")) as running:
        yield running


@pytest.fixture
def study(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """Two series of one study, one of them compressed; its UIDs are this test's own."""
    grid = Geometry((16, 12, 5), (0.7, 0.9, 2.0), (-5.0, 3.0, 10.0))
    noise = np.random.default_rng(3).integers(-1000, 1000, grid.shape).astype(np.int16)
    volume = Volume(np.asfortranarray(noise), grid, Acquisition(Modality.CT))
    folder = tmp_path / "study"
    for number, syntax in ((1, TransferSyntax.EXPLICIT), (2, TransferSyntax.JPEG_LS)):
        series = CtSeries(uid_seed=request.node.name, number=number)
        write_ct_series(volume, folder / str(number), transfer_syntax=syntax, series=series)
    return folder
