from dataclasses import replace

from mpm_deploy.measure.accuracy.loss import ZONES, ZoneLoss
from mpm_deploy.show.tables import loss_summary


def test_where_accuracy_is_lost() -> None:
    zones = [ZoneLoss(name, 100, lost, 1) for name, lost in zip(ZONES, (6, 3, 0), strict=True)]
    assert loss_summary(zones) == (
        "3.00% of the pixels are lost against the other artifact, 1.00% won; of the lost ones: "
        "small objects 67% (33% of all), boundaries 33% (33% of all), elsewhere 0% (33% of all)"
    )
    none = [replace(zone, pixels=0, lost=0, won=0) for zone in zones]
    assert loss_summary(none) == "no pixel of the true label maps counts: none can be lost"
