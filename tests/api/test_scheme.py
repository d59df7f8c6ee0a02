import subprocess
import sys

import pytest
from sampan_api.fields import TypedModel
from sampan_api.schema import UnknownKind, kinds, model_for


def test_every_kind_of_the_scheme_has_a_class_of_its_name():
    for api_version, names in kinds().items():
        for name in names:
            model = model_for(api_version, name)
            assert model.__name__ == name
            if issubclass(model, TypedModel):
                assert model.API_VERSION in (api_version, "v1")


def test_delete_options_go_with_every_group():
    assert model_for("apps/v1", "DeleteOptions") is model_for("v1", "DeleteOptions")


@pytest.mark.parametrize(("api_version", "kind"), [("v1", "Boat"), ("example.com/v1", "Pod")])
def test_unknown_kinds_are_told(api_version, kind):
    with pytest.raises(UnknownKind, match=f'no kind "{kind}" is registered for version "{api_version}"'):
        model_for(api_version, kind)


def imported_by(statement: str) -> set[str]:
    code = f"{statement}\nimport sys\nprint('\\n'.join(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(run.stdout.split())


def test_asking_for_a_config_map_does_not_import_pods():
    modules = imported_by("from sampan_api.schema import model_for; model_for('v1', 'ConfigMap')")
    assert "sampan_api.models.core_v1.configuration" in modules
    assert "sampan_api.models.core_v1.pod" not in modules


def test_selectors_quantities_and_informers_do_not_import_pydantic():
    statement = "from sampan_api import informer, names, quantity, selectors"
    assert "pydantic" not in imported_by(statement)
