"""Prices are sums of what the description says; nothing that may run is left out."""

import pytest

from orchestrator.clusters.cost import bill, forecast, is_priced, price, said
from tests.unit.orchestrator.clusters.described import cluster, worker


def test_price_of_an_hour():
    two = cluster(workers=[worker(min=1, max=4), worker(name="cpu", gpus=0, max=10, price_per_hour=0.1)])
    found = price(two)
    assert (found.head, found.least, found.most) == pytest.approx((0.5, 2.5, 9.5))


def test_bill_of_gpu_hours_is_for_the_head_too():
    found = bill(cluster(), 80.0)  # 4 workers with 2 GPUs each: 10 hours of 4 x 2 $ and the head's 0.5 $
    assert found is not None
    assert (found.hours, found.dollars) == pytest.approx((10.0, 85.0))


def test_workers_without_gpus_that_need_not_run_are_not_billed():
    two = cluster(workers=[worker(), worker(name="cpu", gpus=0, max=10, price_per_hour=100.0)])
    assert bill(two, 80.0) == bill(cluster(), 80.0)
    assert bill(cluster(workers=[worker(gpus=0)]), 80.0) is None


def test_the_most_that_a_cluster_can_cost_is_said():
    assert "at most 204 $" in said(cluster(max_hours=24))  # 24 x (0.5 + 4 x 2)
    assert not is_priced(cluster(workers=[worker(price_per_hour=0.0)]))
    assert "lacks prices" in said(cluster(workers=[worker(price_per_hour=0.0)]))


def test_forecast_names_hours_and_dollars():
    assert "80.0 GPU hours, 10.0 hours with all GPUs busy, 85.00 $" in forecast(cluster(), 80.0)
    assert "$" not in forecast(cluster(workers=[worker(price_per_hour=0.0)]), 80.0)
    assert forecast(cluster(), 0.01).endswith("less than 0.1 GPU hours")
    assert "no GPUs" in forecast(cluster(workers=[worker(gpus=0)]), 80.0)
