"""The files that docs/cluster.md gives away are what Ray, Kubernetes and our own command line accept."""

from __future__ import annotations

import copy
import json
import re
import shlex
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import jsonschema
import kubernetes_validate
import pytest
import typer
import yaml
from moto import mock_aws
from packaging.specifiers import SpecifierSet
from ray.autoscaler._private.aws.node_provider import AWSNodeProvider
from ray.autoscaler._private.kuberay.autoscaling_config import _derive_autoscaling_config_from_ray_cr
from ray.autoscaler._private.util import prepare_config, validate_config
from ray.runtime_env import RuntimeEnv
from ray.scripts.scripts import cli as ray_cli

import cli
from sweeps.spec import load_spec

ROOT = Path(__file__).parents[1]
FILES = ROOT / "docs/cluster"
PAGE = (ROOT / "docs/cluster.md").read_text(encoding="utf-8")
KUBERNETES = ("1.28", "1.37")
"""The oldest and the newest version whose schemas the manifest must satisfy."""

_TEXT, _COUNT = {"type": "string", "minLength": 1}, {"type": "integer", "minimum": 0}


def _exactly(**fields: Any) -> dict[str, Any]:
    """An object with these fields, all of them, and no other."""
    return {
        "type": "object",
        "properties": fields,
        "required": list(fields),
        "additionalProperties": False,
    }


_START_PARAMETERS = {"type": "object", "additionalProperties": {"type": "string"}}
_POD = {"type": "object", "required": ["spec"]}  # checked against the schema of Kubernetes
_WORKERS = _exactly(
    groupName=_TEXT,
    replicas=_COUNT,
    minReplicas=_COUNT,
    maxReplicas=_COUNT,
    rayStartParams=_START_PARAMETERS,
    template=_POD,
)
_CLUSTER = _exactly(
    rayVersion=_TEXT,
    authOptions=_exactly(mode={"enum": ["disabled", "token"]}, secretName=_TEXT),
    headGroupSpec=_exactly(rayStartParams=_START_PARAMETERS, template=_POD),
    workerGroupSpecs={"type": "array", "items": _WORKERS, "minItems": 1},
)
RAY_JOB = _exactly(
    apiVersion={"const": "ray.io/v1"},
    kind={"const": "RayJob"},
    metadata=_exactly(name={"type": "string", "pattern": "^[a-z]([a-z0-9-]{0,45}[a-z0-9])?$"}),
    spec=_exactly(
        entrypoint=_TEXT,
        runtimeEnvYAML=_TEXT,
        backoffLimit=_COUNT,
        shutdownAfterJobFinishes={"type": "boolean"},
        ttlSecondsAfterFinished=_COUNT,
        rayClusterSpec=_CLUSTER,
    ),
)
"""The fields that we use of KubeRay's ray.io/v1, with the types of its API reference."""


def read(name: str) -> str:
    return (FILES / name).read_text(encoding="utf-8")


def launcher(name: str) -> dict[str, Any]:
    """What `ray up` makes of a file before it asks a cloud."""
    prepared = prepare_config(yaml.safe_load(read(name)))
    assert isinstance(prepared, dict)
    return prepared


CONFIG_MAP, JOB = yaml.safe_load_all(read("rayjob.yaml"))
CLUSTER = JOB["spec"]["rayClusterSpec"]
PODS = {
    "head": CLUSTER["headGroupSpec"]["template"],
    **{group["groupName"]: group["template"] for group in CLUSTER["workerGroupSpecs"]},
}


def container(pod: dict[str, Any]) -> dict[str, Any]:
    (only,) = pod["spec"]["containers"]
    assert isinstance(only, dict)
    return only


def secrets_of(pod: dict[str, Any]) -> list[str]:
    return [source["secretRef"]["name"] for source in container(pod)["envFrom"]]


# The commands of the page


def commands() -> Iterator[list[str]]:
    """The words of every command of the page, and of the commands that they in turn start elsewhere."""
    for block in re.findall(r"^```console\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL):
        for line in re.findall(r"^\$ (.*)", block.replace("\\\n", " "), flags=re.MULTILINE):
            words = shlex.split(line)
            yield words
            if words[0] == "kubectl" and "--" in words:
                yield words[words.index("--") + 1 :]


def parsed(command: Any, words: list[str]) -> dict[str, Any]:
    """What the options of a command line are understood as; a usage error if they are not. Nothing is run."""
    while hasattr(command, "commands"):
        command, words = command.commands[words[0]], words[1:]
    parameters: dict[str, Any] = command.make_context(command.name, words).params
    return parameters


def parsed_by_us(words: list[str]) -> dict[str, Any]:
    assert words[0] == "clsweep"
    return parsed(typer.main.get_command(cli.app), words[1:])


CLSWEEP = [words for words in commands() if words[0] == "clsweep"]
RAY = [words for words in commands() if words[0] == "ray"]
SUBMITTED = [parsed(ray_cli, words[1:]) for words in RAY if words[1:3] == ["job", "submit"]]
STARTED = [list(params["entrypoint"]) for params in SUBMITTED]


def test_every_command_of_the_page_begins_with_a_program_that_it_speaks_of() -> None:
    assert {words[0].partition("=")[0] for words in commands()} == {
        *("aws", "clsweep", "cp", "docker", "export", "head", "job", "kubectl", "mkdir", "pip", "ray"),
    }


@pytest.mark.parametrize("words", CLSWEEP, ids=shlex.join)
def test_clsweep_understands_its_commands(words: list[str]) -> None:
    parsed_by_us(words)


@pytest.mark.parametrize("words", RAY, ids=shlex.join)
def test_ray_understands_its_commands(words: list[str]) -> None:
    parsed(ray_cli, words[1:])


@pytest.mark.parametrize("words", [*STARTED, shlex.split(JOB["spec"]["entrypoint"])], ids=shlex.join)
def test_what_a_job_starts_joins_its_cluster_and_writes_to_storage_that_outlives_it(words: list[str]) -> None:
    parameters = parsed_by_us(words)
    assert words[1] == "run"
    assert parameters["address"] == "auto"
    assert parameters["storage"].startswith("s3://")


@pytest.mark.parametrize("words", ["clsweep run a.yaml --adress auto", "clsweep run", "clsweep stats runs/a"])
def test_a_command_that_is_not_understood_would_be_found(words: str) -> None:
    with pytest.raises((typer.BadParameter.__base__, KeyError)):  # usage errors of the click within typer
        parsed_by_us(words.split())


def test_both_submissions_run_the_spec_that_was_put_into_their_folder() -> None:
    copied = [words[1:] for words in commands() if words[0] == "cp"]
    assert copied == [["digits.yaml", "job/"]]
    assert [params["working_dir"] for params in SUBMITTED] == ["job", "job"]
    assert [words[2] for words in STARTED] == ["digits.yaml", "digits.yaml"]
    assert STARTED[0] == STARTED[1], "to continue is to submit the same again"
    assert len({params["submission_id"] for params in SUBMITTED}) == 2


ENVIRONMENTS = [
    *(json.loads(params["runtime_env_json"]) for params in SUBMITTED),
    yaml.safe_load(JOB["spec"]["runtimeEnvYAML"]),
]


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=str)
def test_every_job_gets_more_time_to_leave_and_no_secret(environment: dict[str, Any]) -> None:
    assert RuntimeEnv(**environment).env_vars() == {"RAY_JOB_STOP_WAIT_TIME_S": "30"}


# ray up


@pytest.mark.parametrize("name", ["ray-up.yaml", "ray-up-local.yaml"])
def test_ray_accepts_the_file_of_a_cluster(name: str) -> None:
    validate_config(launcher(name))


@pytest.mark.parametrize("name", ["ray-up.yaml", "ray-up-local.yaml"])
def test_a_slip_in_the_file_of_a_cluster_would_be_found(name: str) -> None:
    config = launcher(name)
    config["file_mount"] = config.pop("file_mounts")
    with pytest.raises(jsonschema.ValidationError):
        validate_config(config)


@pytest.mark.parametrize("name", ["ray-up.yaml", "ray-up-local.yaml"])
def test_ray_starts_with_a_token_that_is_there_and_opens_no_dashboard_to_the_network(name: str) -> None:
    config = launcher(name)
    assert "~/.ray/auth_token" in config["file_mounts"].values()
    starts = [start_of_ray(config[key]) for key in ("head_start_ray_commands", "worker_start_ray_commands")]
    in_container = "--env RAY_AUTH_MODE=token" in config["docker"].get("run_options", [])
    assert all(in_container or "RAY_AUTH_MODE=token" in before for before, _ in starts)
    head, worker = (parsed(ray_cli, ["start", *options]) for _, options in starts)
    assert (head["head"], head["port"], head["dashboard_host"]) == (True, 6379, "127.0.0.1")
    assert (worker["head"], worker["address"]) == (False, "$RAY_HEAD_IP:6379")


def start_of_ray(lines: list[str]) -> tuple[list[str], list[str]]:
    """What stands before the one `ray start`, and its options."""
    (words,) = [shlex.split(line) for line in lines if "ray start" in line]
    at = words.index("start")
    assert words[at - 1] == "ray"
    return words[: at - 1], words[at + 1 :]


def test_aws_starts_a_worker_from_the_file_with_the_role_and_the_policies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "HOME": str(tmp_path),  # Ray keeps its SSH keys there
        "AWS_ACCESS_KEY_ID": "nobody",
        "AWS_SECRET_ACCESS_KEY": "nothing",
        "MOTO_EC2_ENABLE_INSTANCE_TYPE_VALIDATION": "true",
    }.items():
        monkeypatch.setenv(name, value)
    (tmp_path / ".ssh").mkdir()
    with mock_aws():
        iam = boto3.client("iam")
        iam.create_role(RoleName="clsweep-node", AssumeRolePolicyDocument=read("aws-trust.json"))
        iam.put_role_policy(
            RoleName="clsweep-node", PolicyName="clsweep", PolicyDocument=read("aws-policy.json")
        )
        iam.create_instance_profile(InstanceProfileName="clsweep-node")
        iam.add_role_to_instance_profile(InstanceProfileName="clsweep-node", RoleName="clsweep-node")
        config = AWSNodeProvider.bootstrap_config(launcher("ray-up.yaml"))
        provider = AWSNodeProvider(config["provider"], config["cluster_name"])
        for kind, node in config["available_node_types"].items():
            tags = {"ray-node-type": kind, "ray-user-node-type": kind, "ray-node-name": kind}
            provider.create_node(node["node_config"], tags, 1)
        machines = boto3.client("ec2", config["provider"]["region"]).describe_instances()["Reservations"]
    started = [instance for machine in machines for instance in machine["Instances"]]
    assert {instance["InstanceType"]: instance.get("InstanceLifecycle") for instance in started} == {
        "m6i.large": None,
        "c6i.4xlarge": "spot",
    }
    profiles = {instance["IamInstanceProfile"]["Arn"].rpartition("/")[2] for instance in started}
    assert profiles == {"clsweep-node"}


# Kubernetes


@pytest.mark.parametrize("version", KUBERNETES)
def test_kubernetes_accepts_the_config_map(version: str) -> None:
    kubernetes_validate.validate(CONFIG_MAP, version, strict=True)


@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize("pod", PODS)
def test_kubernetes_accepts_every_pod(pod: str, version: str) -> None:
    as_template = {"apiVersion": "v1", "kind": "PodTemplate", "template": PODS[pod]}
    kubernetes_validate.validate(as_template, version, strict=True)


@pytest.mark.parametrize("pod", PODS)
def test_a_pod_is_promised_all_that_it_may_use(pod: str) -> None:
    resources = container(PODS[pod])["resources"]
    assert resources["requests"] == resources["limits"]


def test_a_slip_in_a_pod_would_be_found() -> None:
    slipped = copy.deepcopy(PODS["head"])
    container(slipped)["volumeMount"] = container(slipped).pop("volumeMounts")
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(
            {"apiVersion": "v1", "kind": "PodTemplate", "template": slipped}, KUBERNETES[-1], strict=True
        )


def test_the_job_has_the_fields_of_kuberay() -> None:
    jsonschema.validate(JOB, RAY_JOB)


@pytest.mark.parametrize(
    "slip",
    [
        lambda job: job["spec"].update(entryPoint="clsweep"),
        lambda job: job["spec"]["rayClusterSpec"].update(rayVersion=2.6),
        lambda job: job["spec"]["rayClusterSpec"]["headGroupSpec"]["rayStartParams"].update({"num-cpus": 0}),
    ],
)
def test_a_slip_in_the_job_would_be_found(slip: Callable[[Any], None]) -> None:
    job = copy.deepcopy(JOB)
    slip(job)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(job, RAY_JOB)


def test_ray_itself_reads_memory_and_the_cpus_of_workers_alone() -> None:
    cluster = {"metadata": {"name": "clsweep", "namespace": "default"}, "spec": CLUSTER}
    groups = _derive_autoscaling_config_from_ray_cr(cluster)["available_node_types"]
    assert {name: group["resources"] for name, group in groups.items()} == {
        "headgroup": {"CPU": 0, "memory": 8 * 2**30},
        "cpu": {"CPU": 8, "memory": 16 * 2**30},
    }
    assert (groups["cpu"]["min_workers"], groups["cpu"]["max_workers"]) == (2, 2)


def test_the_spec_of_the_config_map_is_valid_and_lies_where_the_job_looks(tmp_path: Path) -> None:
    (name,) = CONFIG_MAP["data"]
    (tmp_path / name).write_text(CONFIG_MAP["data"][name])
    assert load_spec(str(tmp_path / name)).name == "digits"
    (volume,) = PODS["head"]["spec"]["volumes"]
    (mount,) = container(PODS["head"])["volumeMounts"]
    assert volume == {"name": mount["name"], "configMap": {"name": CONFIG_MAP["metadata"]["name"]}}
    assert shlex.split(JOB["spec"]["entrypoint"])[2] == f"{mount['mountPath']}/{name}"


def test_every_pod_gets_the_keys_from_secrets_that_the_page_creates() -> None:
    created = {words[4] for words in commands() if words[:4] == ["kubectl", "create", "secret", "generic"]}
    assert {name: secrets_of(pod) for name, pod in PODS.items()} == {
        "head": ["clsweep-storage"],
        "cpu": ["clsweep-storage"],
    }
    assert created == {"clsweep-storage", CLUSTER["authOptions"]["secretName"]}
    assert CLUSTER["authOptions"]["mode"] == "token"


def test_the_pods_run_the_image_that_the_page_builds_and_pushes() -> None:
    built = [words[words.index("-t") + 1] for words in commands() if words[:2] == ["docker", "build"]]
    pushed = [words[2] for words in commands() if words[:2] == ["docker", "push"]]
    assert {container(pod)["image"] for pod in PODS.values()} == {*built} == {*pushed}


def test_the_commands_of_kubernetes_name_the_job_of_the_manifest() -> None:
    named = {words[3] for words in commands() if words[:3] == ["kubectl", "get", "rayjob"]}
    assert named == {JOB["metadata"]["name"]}
    assert f"$ kubectl logs --follow job/{JOB['metadata']['name']}\n" in PAGE


# Versions and the image

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
TESTED = dict(
    line.split("==")
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
)


@pytest.mark.parametrize("name", ["Dockerfile", "ray-up.yaml"])
def test_the_image_has_the_ray_that_was_tested_and_a_python_that_we_support(name: str) -> None:
    ((ray, major, minor),) = re.findall(r"rayproject/ray:([\d.]+)-py(\d)(\d+)-", read(name))
    assert ray == TESTED["ray"] == CLUSTER["rayVersion"]
    assert f"{major}.{minor}" in SpecifierSet(PROJECT["project"]["requires-python"])


def test_the_machines_at_hand_need_a_python_that_we_support() -> None:
    (version,) = set(re.findall(r"python(\d\.\d+)", read("ray-up-local.yaml")))
    assert version in SpecifierSet(PROJECT["project"]["requires-python"])
    assert f"Python {version}" in PAGE


def test_the_image_is_built_from_all_that_an_installation_needs() -> None:
    copied = re.findall(r"^COPY --chown=ray:users (.*) \S+$", read("Dockerfile"), flags=re.MULTILINE)
    tools, project = PROJECT["tool"]["setuptools"], PROJECT["project"]
    assert {name for line in copied for name in line.split()} == {
        *(package.partition(".")[0] for package in tools["packages"]),
        *(f"{module}.py" for module in tools["py-modules"]),
        *("pyproject.toml", "constraints.txt", project["readme"], *project["license-files"]),
    }


@pytest.mark.parametrize("name", ["Dockerfile", "ray-up.yaml", "ray-up-local.yaml"])
def test_what_is_installed_are_the_versions_that_were_tested(name: str) -> None:
    installs = re.findall(r"pip install .*?\"ray\[default\]\"", read(name).replace("\n    ", " "))
    assert len(installs) == 1
    assert "--constraint constraints.txt" in installs[0]


def test_no_file_of_the_cluster_is_left_out_of_the_page() -> None:
    assert {path.name for path in FILES.iterdir()} == set(re.findall(r"docs/cluster/([\w.-]+)", PAGE)) | set(
        re.findall(r"\]\(cluster/([\w.-]+)\)", PAGE)
    )
