"""What a KubeSchedulerConfiguration says of the process holds unless a flag says otherwise."""

import pytest
import yaml
from sampan_master.standalone import scheduler

HEAD = {"apiVersion": "kubescheduler.config.k8s.io/v1", "kind": "KubeSchedulerConfiguration"}


@pytest.fixture
def written(tmp_path):
    def written(**fields):
        path = tmp_path / "scheduler.yaml"
        path.write_text(yaml.safe_dump(HEAD | fields))
        return str(path)

    return written


def test_the_kubeconfig_is_that_of_the_file_or_of_the_flag(written, tmp_path, capsys):
    config = written(clientConnection={"kubeconfig": str(tmp_path / "of-the-file")})
    assert scheduler.main(["--config", config, "--port", "0"]) == 1
    assert "of-the-file" in capsys.readouterr().err
    assert scheduler.main(["--config", config, "--port", "0", "--kubeconfig", str(tmp_path / "of-the-flag")]) == 1
    told = capsys.readouterr().err
    assert "of-the-flag" in told
    assert "of-the-file" not in told


def test_terms_of_election_must_fit_together_wherever_they_are_said(written, capsys):
    config = written(leaderElection={"leaseDuration": "9s"})
    with pytest.raises(SystemExit):
        scheduler.main(["--config", config, "--port", "0"])
    assert "must be longer than the renew deadline" in capsys.readouterr().err


def test_a_wrong_configuration_ends_the_process_with_the_path_of_the_field(written, capsys):
    with pytest.raises(SystemExit) as ended:
        scheduler.main(["--config", written(profiles=[{"plugin": {}}])])
    assert ended.value.code == 2
    assert 'profiles[0].plugin: unknown field, did you mean "plugins"?' in capsys.readouterr().err
