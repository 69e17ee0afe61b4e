"""The backscatter network and the responses made of it: close to the simulation, and physical."""

import numpy as np
import pytest

from algorithms.depth_response import formula_response, tabulated_response, weighted_sum
from algorithms.electron_transport.materials import COPPER, GOLD
from algorithms.imaging import backscatter_image
from algorithms.redeposition import film_coverage, redeposited
from models.backscatter import HIDDEN, load_network, network_response, save_network, shipped_network
from models.backscatter_runs import bulk_under_epoxy, run_all
from models.backscatter_training import fit_network
from models.errors import ModelError


def test_the_shipped_network_has_the_published_shape():
    """3 → 16-32-32-32 → 1."""
    shapes = [weights.shape for weights, _ in shipped_network().layers]
    assert shapes == [(16, 3), (32, 16), (32, 32), (32, 32), (1, 32)]
    assert HIDDEN == (16, 32, 32, 32)


@pytest.mark.parametrize(
    ("material", "kev", "depth_nm"),
    [(GOLD, 1.0, 0.0), (GOLD, 2.0, 30.0), (GOLD, 4.0, 80.0), (COPPER, 4.0, 20.0)],
)
def test_the_network_agrees_with_a_fresh_simulation(material, kev, depth_nm):
    """Another seed than it learned from: within 0.02 and the simulation's own error."""
    simulated = bulk_under_epoxy(material, depth_nm, kev, 8_000, seed=99)
    learned = shipped_network().eta(np.array([[material.mean_atomic_number, kev, depth_nm]]))[0]
    assert learned == pytest.approx(simulated, abs=0.02 + 3 * np.sqrt(simulated / 8_000))


def test_higher_voltages_see_deeper():
    """1/e depths in the published order, each more than twice the one before."""
    depths = np.arange(0.0, 190.0).astype(np.float32)
    visible = [int(np.argmax(network_response(kev).below(depths) < np.exp(-1))) for kev in (1.0, 2.0, 4.0)]
    assert visible[0] > 3
    assert visible[1] > 2 * visible[0]
    assert visible[2] > 2 * visible[1]


@pytest.mark.parametrize("kev", [1.0, 2.0, 4.0])
def test_a_response_falls_from_one_to_nothing(kev):
    """By formula and by network: 1 at the face, never rising, 0 far below."""
    depths = np.linspace(0, 5000, 4000).astype(np.float32)
    for response in (formula_response(kev), network_response(kev)):
        below = response.below(depths / (1.0 if response.unit_nm[0] == 1.0 else response.unit_nm[0]))
        assert below[0] == pytest.approx(1.0)
        assert (np.diff(below) <= 1e-6).all()
        assert below[-1] == 0
        assert response.eta[1] > 3 * response.eta[0]


def test_bulk_phases_show_their_own_coefficient():
    """Whatever the response: all epoxy gives η of epoxy, thick gold η of gold."""
    depths = np.arange(0.0, 600.0, 2.5)
    for response in (formula_response(2.0), network_response(2.0)):
        for phase in (0, 1):
            layers = np.full((len(depths), 4, 4), phase, np.uint8)
            image = backscatter_image(layers, depths, 2.0, (2.5, 2.5), response)
            np.testing.assert_allclose(image, response.eta[phase], rtol=0.01)


def test_a_table_is_followed_between_its_depths_and_goes_on_below():
    """The response of an exponential table is that exponential, inside and outside the table."""
    depths = np.arange(0.0, 101.0, 5.0)
    response = tabulated_response(depths, 0.1 + 0.4 * np.exp(-depths / 40), 0.1, 2.0)
    asked = np.array([0.0, 12.0, 60.0, 150.0], np.float32)
    np.testing.assert_allclose(response.below(asked), np.exp(-asked / 40), atol=0.01)


def test_the_weighted_sum_is_that_of_the_layers():
    """Layers add up with their normalised weights; all solid is 1."""
    layers = np.stack([np.zeros((2, 2)), np.ones((2, 2)), np.zeros((2, 2))]).astype(np.uint8)
    np.testing.assert_allclose(weighted_sum(layers, np.array([2.0, 1.0, 1.0])), 0.25)
    np.testing.assert_allclose(weighted_sum(np.ones_like(layers), np.array([2.0, 1.0, 1.0])), 1.0)


@pytest.mark.long
def test_a_network_learns_what_was_simulated():
    """A small training reaches a few hundredths on runs it did not see, and survives the disk."""
    runs = run_all(electrons=300, materials=(COPPER, GOLD), voltages_kv=(2.0, 4.0), threads=2)
    fit = fit_network(runs, epochs=300)
    assert runs.inputs.shape == (2 * 2 * 20, 3)
    assert fit.held_out_rms < 0.1


def test_a_network_survives_the_disk_and_a_foreign_file_is_refused(tmp_path):
    """Saved and loaded it gives the same numbers; anything else is an error with a remedy."""
    save_network(shipped_network(), tmp_path / "n.npz")
    rows = np.array([[79.0, 2.0, 10.0], [6.3, 1.0, 0.0]])
    np.testing.assert_array_equal(load_network(tmp_path / "n.npz").eta(rows), shipped_network().eta(rows))
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    with pytest.raises(ModelError, match="backscatter"):
        load_network(tmp_path / "other.npz")


def test_redeposited_material_covers_the_lower_edge():
    """Nothing at the top, the strength at the bottom; without strength the image is untouched."""
    signal = np.full((50, 30), 0.5, np.float32)
    even = np.zeros(30, np.float32)
    covered = film_coverage(50, even, 0.4)
    assert covered[0].max() == 0
    np.testing.assert_allclose(covered[-1], 0.4)
    np.testing.assert_array_equal(redeposited(signal, even, 0.0), signal)
    assert redeposited(signal, even, 0.4)[-1].max() < 0.5
